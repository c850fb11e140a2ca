/**
 * Keeps a private corosync apart from the machine it runs on, and sees to it
 * that nothing is left of it, however its user ends.
 *
 * @module
 */

import { readFile, stat } from "node:fs/promises";
import process from "node:process";
import { commandFor } from "../native/deno.ts";
import { ANCHOR_IN_NAMESPACES, ANCHOR_IN_PLACE, CLEAN_UP } from "./anchor.ts";
import { RAISE_LOOPBACK } from "./loopback.ts";
import { decode, pause, Place } from "./place.ts";
import { Process, type ProcessStatus } from "./process.ts";

/**
 * How a private corosync is kept apart:
 *
 * - `"namespaces"`: network, mount, IPC and process namespaces, as root;
 * - `"user-namespaces"`: the same inside a user namespace, which needs no root;
 * - `"in-place"`: not at all, as root, if no corosync runs here already.
 */
export type Isolation = "namespaces" | "user-namespaces" | "in-place";

/** An isolated place; it ends with {@linkcode Isolated.end}, or with us. */
export interface Isolated extends AsyncDisposable {
  /** Which way of isolation worked. */
  readonly isolation: Isolation;
  /** Where commands run. */
  readonly place: Place;
  /** A folder of its own, as a path in that place. */
  readonly folder: string;
  /** Ends every process there and removes what they have left. */
  end(): Promise<void>;
}

/** How long a place may take to be rid of its processes. */
const END_MS = 15_000;

/**
 * Makes an isolated place, in the first of the given ways that works. As root,
 * plain namespaces come first: in a user namespace, the files of other users
 * would be out of root's reach.
 *
 * Throws an `Error` that says why each way failed, and what to change.
 */
export async function isolate(
  ways: readonly Isolation[] = ["namespaces", "user-namespaces", "in-place"],
): Promise<Isolated> {
  const failures: string[] = [];
  for (const way of ways) {
    try {
      return await WAYS[way]();
    } catch (error) {
      failures.push(
        `${way}: ${error instanceof Error ? error.message : error}`,
      );
    }
  }
  throw new Error(
    `Cannot isolate a private corosync:\n${bullets(failures)}\n` +
      `What may have to change:\n${bullets(await remedies())}`,
  );
}

/** Throws a `RangeError` if there is no such way of isolation. */
export function checkIsolation(way: string): void {
  if (Object.hasOwn(WAYS, way)) return;
  const ways = Object.keys(WAYS).join(", ");
  throw new RangeError(`The isolation is one of ${ways}, not ${way}`);
}

const WAYS: Record<Isolation, () => Promise<Isolated>> = {
  namespaces: () => {
    needRoot();
    return inNamespaces("namespaces", []);
  },
  "user-namespaces": () =>
    inNamespaces("user-namespaces", ["--user", "--map-root-user"]),
  "in-place": async () => {
    needRoot();
    // An abstract socket, or a file where libqb is told to use files.
    if (/[@/]cpg(@|\s)/.test(await readFile("/proc/net/unix", "utf8"))) {
      throw new Error("a corosync is running here already");
    }
    const anchor = await dropAnchor(["sh", "-c", ANCHOR_IN_PLACE, CLEAN_UP]);
    const cleanUp = async () => {
      // The anchor does it, unless somebody killed the anchor.
      const { signal } = await anchor.release();
      if (signal) await new Place().run(["sh", "-c", CLEAN_UP, anchor.folder]);
    };
    return isolated("in-place", new Place(), anchor.folder, cleanUp);
  },
};

async function inNamespaces(
  isolation: Isolation,
  flags: string[],
): Promise<Isolated> {
  const anchor = await dropAnchor([
    "unshare",
    ...flags,
    "--net",
    "--mount",
    "--ipc",
    "--pid",
    "--fork",
    "sh",
    "-c",
    ANCHOR_IN_NAMESPACES,
  ]);
  const place = new Place(`/proc/${anchor.pid}`, { user: flags.length > 0 });
  const end = async () => {
    await anchor.release();
    await gone(anchor.pid);
  };
  try {
    await place.run(program(RAISE_LOOPBACK));
    return isolated(isolation, place, anchor.folder, end);
  } catch (error) {
    await end();
    throw error;
  }
}

/** The command that runs one of our own programs in a place. */
export function program(...args: string[]): string[] {
  // The module of the command line, whatever its files end in here.
  // Not called `module`, as which a CommonJS module knows itself.
  const main = import.meta.url.replace(/isolation\.(?=[^/]*$)/, "mod.");
  return [...commandFor(main), ...args];
}

function isolated(
  isolation: Isolation,
  place: Place,
  folder: string,
  end: () => Promise<void>,
): Isolated {
  let ended: Promise<void> | undefined;
  const once = () => ended ??= end();
  return { isolation, place, folder, end: once, [Symbol.asyncDispose]: once };
}

interface Anchor {
  pid: number;
  folder: string;
  /** Lets go of the anchor; resolves once it has ended. */
  release(): Promise<ProcessStatus>;
}

/**
 * Starts an anchor: a process that says its process id and folder, then holds
 * the place until its lifeline ends, which the kernel sees to even if we are
 * killed.
 */
async function dropAnchor(command: string[]): Promise<Anchor> {
  // A session of its own keeps the terminal's Ctrl-C away from it.
  const child = new Process(["setsid", ...command], {
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }, true);
  const release = async () => {
    child.ref();
    child.endLifeline();
    return await child.status;
  };

  const hello = /^(\d+) (.*)\n/.exec(await firstLine(child.stdout));
  if (hello === null) {
    const complaint = (await new Response(child.stderr).text()).trim();
    await release();
    throw new Error(complaint || `${command[0]} said nothing`);
  }
  await child.stderr.cancel();
  child.unref(); // a program may end without waiting for it
  return { pid: Number(hello[1]), folder: hello[2], release };
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  // Leaving the loop cancels the stream.
  for await (const chunk of stream) {
    text += decode(chunk);
    if (text.includes("\n")) break;
  }
  return text;
}

/** Waits until the last trace of a process is gone. */
async function gone(pid: number): Promise<void> {
  const deadline = Date.now() + END_MS;
  while (await exists(`/proc/${pid}`)) {
    if (Date.now() > deadline) {
      throw new Error(`Process ${pid} of the private corosync does not end`);
    }
    await pause(5);
  }
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(() => true, () => false);
}

function needRoot(): void {
  if (process.getuid?.() !== 0) throw new Error("this way is for root only");
}

/** What the machine's settings say, with what forbids user namespaces first. */
async function remedies(): Promise<string[]> {
  const settings = [
    ["kernel.apparmor_restrict_unprivileged_userns", "0", "on Ubuntu"],
    ["kernel.unprivileged_userns_clone", "1", "on older Debian"],
    ["user.max_user_namespaces", "10000", "everywhere"],
  ];
  const lines = await Promise.all(settings.map(async ([name, good, where]) => {
    const path = `/proc/sys/${name.replaceAll(".", "/")}`;
    const value = await readFile(path, "utf8").catch(() => "not known here");
    return `sudo sysctl ${name}=${good} (${where}; now: ${value.trim()})`;
  }));
  return [
    ...lines,
    "in a container: run as root, or start it with docker run " +
    "--cap-add SYS_ADMIN --security-opt seccomp=unconfined " +
    "--security-opt apparmor=unconfined",
    "unshare, nsenter and setsid missing: install util-linux",
  ];
}

function bullets(lines: string[]): string {
  return lines.map((line) => `  - ${line.replaceAll("\n", "\n    ")}`)
    .join("\n");
}
