/** The folder where corosync and its clients share memory. */
import { run } from "./support.ts";

export const FOLDER = "/dev/shm";

async function bytes(column: "avail" | "size" | "used"): Promise<number> {
  const { stdout } = await run("df", ["-B1", `--output=${column}`, FOLDER]);
  return Number(stdout.split("\n")[1]);
}

/** The files of zero-copy buffers that have a name there. */
export function zeroCopyFiles(): string[] {
  return [...Deno.readDirSync(FOLDER)].map(({ name }) => name)
    .filter((name) => name.startsWith("corosync_zerocopy-"));
}

/** The zero-copy buffers that a process has mapped. */
export function zeroCopyMaps(process: number | "self" = "self"): string[] {
  return Deno.readTextFileSync(`/proc/${process}/maps`)
    .match(/corosync_zerocopy-\w+/g) ?? [];
}

/** How many bytes are free there. */
export function free(): Promise<number> {
  return bytes("avail");
}

/**
 * The command that sets its size. All of it is named, lest mount repeats the
 * owner that it finds, who may not exist in this user namespace.
 */
export function resizing(size: number | string): string[] {
  const options = `remount,size=${size}`;
  return ["mount", "-t", "tmpfs", "-o", options, "tmpfs", FOLDER];
}

/**
 * Leaves only so many bytes free there for a while.
 *
 * @returns Why that cannot be done here, if so; the reason is printed, too.
 */
export async function withRoom(
  room: number,
  test: () => Promise<void>,
): Promise<string | undefined> {
  const usual = await bytes("size");
  const remount = (size: number) => {
    const [command, ...args] = resizing(size);
    return run(command, args);
  };
  const remounted = await remount(await bytes("used") + room);
  if (remounted.code !== 0) {
    const why = `${FOLDER} cannot be resized (${remounted.stderr.trim()})`;
    console.log(`Skipped: ${why}`);
    return why;
  }
  try {
    await test();
  } finally {
    await remount(usual);
  }
  return undefined;
}
