/** The scripts that clean up where there are no namespaces to do it. */
import { assertEquals } from "@std/assert";
import {
  ANCHOR_IN_PLACE,
  CLEAN_UP,
  DAEMONS_FILE,
  FOLDER_VARIABLE,
} from "../testing/anchor.ts";
import { isolate } from "../testing/isolation.ts";
import { testOnNodes } from "./nodes.ts";
import { namesIn } from "./support.ts";

testOnNodes(
  "testing: who dies before the greeting leaves nothing",
  async () => {
    await using outer = await isolate(["user-namespaces", "namespaces"]);
    const folder = await Deno.makeTempDir();
    const { child, status } = outer.place.spawn(
      ["sh", "-c", 'read -r go; exec sh -c "$@" 3</dev/null 2>&1', "sh"]
        .concat(ANCHOR_IN_PLACE, CLEAN_UP),
      { env: { TMPDIR: folder }, stdin: "piped", stdout: "piped" },
    );
    await child.stdout.cancel();
    const input = child.stdin.getWriter();
    await input.write(new TextEncoder().encode("\n"));
    await status;
    await input.close().catch(() => {});
    assertEquals(namesIn(folder), []);
    await Deno.remove(folder, { recursive: true });
  },
);

/** Stands in for a daemon: told to end, it is replaced by another. */
const DAEMON = `trap '
  setsid sleep 600 &
  echo "$!" >>"$0"
  : >"/dev/shm/qb-corosync-$!-1"
  exit 0' TERM
echo "$$" >>"$0"
: >"/dev/shm/qb-corosync-$$-1"
echo ready
while :; do sleep 0.05; done`;

testOnNodes(
  "testing: a daemon that starts meanwhile is cleaned up, too",
  async () => {
    await using outer = await isolate(["user-namespaces", "namespaces"]);
    const { place } = outer;
    const folder = "/run/place";
    await place.run(["mkdir", folder]);
    const daemon = place.spawn(
      ["sh", "-c", DAEMON, `${folder}/${DAEMONS_FILE}`],
      { env: { [FOLDER_VARIABLE]: folder }, stdout: "piped" },
    );
    const output = daemon.child.stdout.getReader();
    await output.read();
    await place.run(["sh", "-c", CLEAN_UP, folder]);
    assertEquals((await daemon.status).code, 0);
    assertEquals(namesIn(`${place.root}/dev/shm`), []);
    assertEquals(namesIn(`${place.root}/run`).includes("place"), false);
    await output.cancel();
  },
);
