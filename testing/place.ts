/**
 * A place where commands run: here, or inside the namespaces of another
 * process. Knows how to get in and how to signal what runs there.
 *
 * @module
 */

import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Process, type ProcessStatus, type SpawnOptions } from "./process.ts";

/**
 * Runs a command in folder $0 (entering a mount namespace leads to its `/`) and
 * stays behind as its parent. Signals are trapped rather than ignored, because
 * a trap is reset in the command and an ignored signal is not: Ctrl-C is the
 * command's to answer, and its status must still be passed on.
 */
const PARENT = `trap : HUP INT QUIT TERM
cd "$0" || exit 125
exec 3>&2 2>/dev/null # how the command has ended is the status' to tell
(exec "$@" 2>&3 3>&-)
exit "$?"`;

/** A command running in a {@linkcode Place}. */
export class PlaceProcess {
  /** The process standing in for the command: its pipes are the command's. */
  readonly child: Process;

  /**
   * How it ended: `code` is 128 + n if signal n ended the command, and `signal`
   * is null then, too.
   */
  readonly status: Promise<ProcessStatus>;

  #ended = false;

  /** Wraps what {@linkcode Place.spawn} has started. */
  constructor(child: Process) {
    this.child = child;
    this.status = child.status.finally(() => this.#ended = true);
    // Who asks for the status gets the error.
    this.status.catch(() => {});
  }

  /**
   * Sends a signal to the command itself; nothing happens if it has ended.
   *
   * @param signal Its name, `"SIGTERM"` for example.
   */
  async kill(signal: string): Promise<void> {
    const { pid } = this.child;
    // Just after the start, the command has yet to be forked, and then is its
    // parent's copy with its parent's traps, in which a signal would be lost.
    while (!this.#ended) {
      const [command] = await childrenOf(pid);
      if (
        command !== undefined &&
        await lineOf(command) !== await lineOf(pid)
      ) {
        try {
          process.kill(command, signal);
        } catch (error) {
          if (!hasCode(error, "ESRCH")) throw error;
        }
        return;
      }
      await pause(5);
    }
  }
}

/** Where commands run and files are read: here, or in some namespaces. */
export class Place {
  /** Where that place's `/` is seen from here; empty if it is the same. */
  readonly root: string;

  #enter: string[];
  #user: boolean;

  /**
   * The place of the process that a folder of `/proc` describes (its network,
   * mount, IPC and process namespaces, and with `user` its user namespace);
   * without one, here.
   */
  constructor(process?: string, { user = false }: { user?: boolean } = {}) {
    this.root = process === undefined ? "" : `${process}/root`;
    this.#user = user;
    this.#enter = process === undefined ? [] : [
      "nsenter",
      ...user ? [`--user=${process}/ns/user`, "--preserve-credentials"] : [],
      `--net=${process}/ns/net`,
      `--mount=${process}/ns/mnt`,
      `--ipc=${process}/ns/ipc`,
      `--pid=${process}/ns/pid`,
      "--no-fork", // so that the shell, not nsenter, is the command's parent
      "--",
    ];
  }

  /** The place of another process, by its process id in this one. */
  of(pid: number): Place {
    return new Place(`${this.root}/proc/${pid}`, { user: this.#user });
  }

  /** Starts a command there, in the current folder if `cwd` names no other. */
  spawn(
    command: readonly string[],
    { cwd = process.cwd(), ...options }: SpawnOptions = {},
  ): PlaceProcess {
    const folder = cwd instanceof URL ? fileURLToPath(cwd) : resolve(cwd);
    const line = [...this.#enter, "sh", "-c", PARENT, folder, ...command];
    return new PlaceProcess(new Process(line, options));
  }

  /** Runs a command there and returns its output; throws if it fails. */
  async run(
    command: string[],
    env: Record<string, string> = {},
  ): Promise<string> {
    const { child } = this.spawn(command, {
      env,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
    const { success, code, stdout, stderr } = await child.output();
    if (success) return decode(stdout);
    throw new Error(
      `${command[0]} exited with ${code}: ${decode(stderr).trim()}`,
    );
  }
}

/** Text from bytes; what is not UTF-8 is replaced. */
export function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** Whether an error is the system's of that name, `"ENOENT"` for example. */
export function hasCode(error: unknown, code: string): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === code;
}

/** Waits `ms` milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function childrenOf(pid: number): Promise<number[]> {
  const text = await ofProcess(pid, `task/${pid}/children`);
  return text.split(" ").filter(Boolean).map(Number);
}

/** The command line of a process. */
function lineOf(pid: number): Promise<string> {
  return ofProcess(pid, "cmdline");
}

/** What the kernel says of a process; nothing if that is no more. */
async function ofProcess(pid: number, file: string): Promise<string> {
  try {
    return await readFile(`/proc/${pid}/${file}`, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT") || hasCode(error, "ESRCH")) return "";
    throw error;
  }
}
