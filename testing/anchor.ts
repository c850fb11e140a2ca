/**
 * The shell scripts that hold an isolated place until their lifeline, descriptor
 * 3, ends. Each first prints a line: its process id, as its starter sees it, and
 * a folder for the place's own files.
 *
 * @module
 */

/** Names the folder of the place that a process belongs to. */
export const FOLDER_VARIABLE = "COROSYNC_TESTING";

/** The folder's file with the process ids of the daemons, the latest last. */
export const DAEMONS_FILE = "daemons";

/** The folder's file with the daemon's configuration. */
export const CONFIGURATION_FILE = "corosync.conf";

/**
 * The first process of fresh namespaces. When it ends, the kernel ends every
 * other process in them, and with the last goes all that they had mounted.
 */
export const ANCHOR_IN_NAMESPACES = `set -e
read -r pid rest </proc/self/stat # not yet the namespace's own /proc
mount -n -t proc proc /proc # -n: no record of it in the system's /run/mount
mount -n -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -n -t tmpfs -o mode=755 tmpfs /run
mkdir /run/corosync-testing
echo "$pid /run/corosync-testing"
cat <&3 >/dev/null &
wait "$!" # and, as the first process must, reap orphans meanwhile`;

/**
 * Makes the fresh namespaces that it runs in another node, with the folder $0,
 * and leaves a process behind that holds them. Prints its process id.
 */
export const FURTHER_NODE = `set -e
mount -n -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -n -t tmpfs -o mode=755 tmpfs /run
mkdir "$0"
setsid sleep infinity >/dev/null 2>&1 </dev/null &
echo "$!"`;

/**
 * Starts a program in the background, which makes the file $0 when it is ready,
 * and waits for that.
 */
export const START_IN_BACKGROUND = `setsid "$@" >"$0.log" 2>&1 </dev/null &
while [ ! -e "$0" ]; do
  kill -0 "$!" || { cat "$0.log" >&2; exit 1; }
  sleep 0.01
done`;

/**
 * Cleans up after the place whose folder is $0. Its processes are known by
 * their environment. The daemons are ended gently, so that they remove what
 * they shared with the others, and by force if they do not go.
 */
export const CLEAN_UP = `exec >/dev/null 2>&1
members() {
  grep -lsFxz "${FOLDER_VARIABLE}=$0" /proc/[0-9]*/environ | cut -d / -f 3
}
daemons() {
  tr '\\n' ' ' <"$0/${DAEMONS_FILE}"
}
told=" "
try=0
while found=$(members) && [ -n "$found" ] && [ $try -lt 200 ]; do
  known=" $(daemons)" # somebody may have started one meanwhile
  for pid in $found; do
    case "$known" in
      *" $pid "*) [ $try -lt 100 ] || kill -KILL "$pid" ;;
      *) kill -KILL "$pid" ;;
    esac
    case "$told" in
      *" $pid "*) ;;
      *) kill -TERM "$pid" ;;
    esac
    told="$told$pid "
    kill -CONT "$pid" # a frozen process would not notice
  done
  try=$((try + 1))
  sleep 0.05
done
for pid in $(daemons); do
  rm -rf /dev/shm/qb-$pid-* /dev/shm/qb-corosync-$pid-*
  [ "$(cat /run/corosync.pid)" != "$pid" ] || rm /run/corosync.pid
done
for file in /dev/shm/corosync_zerocopy-*; do
  [ "$file" -nt "$0/${CONFIGURATION_FILE}" ] && rm "$file"
done
rm -rf "$0"`;

/**
 * The same without namespaces: what the kernel did there is done by $0, which
 * is {@linkcode CLEAN_UP}.
 */
export const ANCHOR_IN_PLACE = `trap '' HUP INT QUIT TERM PIPE
folder=$(mktemp -d "\${TMPDIR:-/tmp}/corosync-testing.XXXXXX") || exit
echo "$$ $folder"
read -r rest <&3
exec sh -c "$0" "$folder"`;
