/**
 * One node of a private cluster: a place, and the corosync that runs there.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import process from "node:process";
import { CONFIGURATION_FILE, DAEMONS_FILE, FOLDER_VARIABLE } from "./anchor.ts";
import { corosyncConf, type Totem } from "./config.ts";
import type { Corosync } from "./packages.ts";
import { hasCode, pause, Place, type PlaceProcess } from "./place.ts";
import type { SpawnOptions } from "./process.ts";

const DESCRIPTION_FILE = "node.json";
const LOG_FILE = "corosync.log";

/** How many lines of the daemon's log an error quotes. */
const QUOTED = 20;

/**
 * Starts daemon $0, unless somebody else has. In a session of its own, Ctrl-C
 * does not reach it; its parent leaves it to the anchor, so that it is nobody's
 * child.
 */
const START = `exec 9>>"$3"
flock 9
last=$(tail -n 1 "$3")
[ -n "$last" ] && [ -e "/proc/$last/exe" ] && exit
setsid "$0" -f -c "$1" >>"$2" 2>&1 </dev/null 9>&- &
echo $! >>"$3"`;

/** What a node of a private cluster is made with. */
export interface NodeSettings {
  /** The node's id, as in the configuration. */
  readonly id: number;
  /** The node's own folder, as a path in its place. */
  readonly folder: string;
  /** The corosync to run. */
  readonly corosync: Corosync;
  /** All nodes of its cluster, itself included. */
  readonly cluster: Totem;
}

/** What a daemon knows of its cluster. */
export interface View {
  /** The ids of the nodes in its ring, in ascending order. */
  readonly ring: readonly number[];
  /** The groups and their members, as corosync-cpgtool lists them, sorted. */
  readonly groups: readonly string[];
  /** How often it has had the ring's token. */
  readonly tokens: number;
}

/** Options of the calls of {@linkcode CorosyncNode} that wait. */
export interface WaitOptions {
  /** How long to wait, in milliseconds, from 0. By default 30,000. */
  readonly timeout?: number;
}

/**
 * A corosync of its own, and the place where it runs. The daemon can be killed,
 * frozen and restarted; the place outlives it.
 *
 * Calls that wait throw an `Error` with the end of the daemon's log if what
 * they wait for does not happen.
 */
export class CorosyncNode {
  /** The node id in the cluster, from 1. */
  readonly id: number;

  #place: Place;
  #settings: NodeSettings;

  /** A node in a place that is, or is to be, set up for it. */
  constructor(place: Place, settings: NodeSettings) {
    this.id = settings.id;
    this.#place = place;
    this.#settings = settings;
  }

  /**
   * The node that this process was started on. Throws an `Error` if it was
   * started outside of any.
   */
  static ambient(): CorosyncNode {
    return new CorosyncNode(new Place(), ambientSettings());
  }

  /** The daemon's process id on its node, or undefined if it does not run. */
  get pid(): number | undefined {
    const pid = this.#read(DAEMONS_FILE).trimEnd().split("\n").at(-1);
    return pid && this.#state(pid) ? Number(pid) : undefined;
  }

  /** Whether the daemon runs and is not frozen. */
  get running(): boolean {
    const { pid } = this;
    return pid !== undefined && this.#state(pid) !== "T";
  }

  /** What the daemon and its predecessors have logged. */
  get log(): string {
    return this.#read(LOG_FILE);
  }

  /** Writes down what the daemon and {@linkcode ambient} are to know. */
  async setUp(): Promise<void> {
    const { cluster, folder } = this.#settings;
    for (
      const [name, text] of [
        [CONFIGURATION_FILE, corosyncConf(cluster, folder)],
        [DESCRIPTION_FILE, JSON.stringify(this.#settings)],
      ]
    ) {
      await writeFile(this.#file(name), text);
    }
  }

  /**
   * Starts the daemon if it does not run, and waits until it is ready. One that
   * is about to end is replaced when it has.
   */
  async start(options?: WaitOptions): Promise<void> {
    if (await this.#answers(options)) return;
    const files = [CONFIGURATION_FILE, LOG_FILE, DAEMONS_FILE]
      .map((name) => `${this.#settings.folder}/${name}`);
    await this.#place.run(
      ["sh", "-c", START, this.#settings.corosync.daemon, ...files],
      this.#env(),
    );
    await this.ready(options);
  }

  /** Waits until the daemon answers: it has formed a ring and lets us in. */
  async ready(options?: WaitOptions): Promise<void> {
    if (!await this.#answers(options)) throw this.#error("has ended");
  }

  /** Ends the daemon without warning (SIGKILL). */
  async kill(options?: WaitOptions): Promise<void> {
    const timeout = timeoutOf(options);
    await this.#ended(await this.#signal("KILL"), timeout);
  }

  /** Has the daemon leave the cluster and end (SIGTERM), frozen or not. */
  async stop(options?: WaitOptions): Promise<void> {
    const timeout = timeoutOf(options);
    const pid = await this.#signal("TERM");
    // Frozen, it takes that only now; otherwise it may be gone already.
    await this.#signal("CONT").catch(() => {});
    await this.#ended(pid, timeout);
  }

  /** Stops the daemon if it runs, and starts it. */
  async restart(options?: WaitOptions): Promise<void> {
    if (this.pid !== undefined) await this.stop(options);
    await this.start(options);
  }

  /** Freezes the daemon (SIGSTOP): it keeps its connections, but is silent. */
  async freeze(options?: WaitOptions): Promise<void> {
    const timeout = timeoutOf(options);
    const pid = await this.#signal("STOP");
    await this.#until("frozen", timeout, () => {
      const state = this.#state(pid);
      if (state === undefined) throw this.#error("has ended");
      return state === "T";
    });
  }

  /** Lets a frozen daemon go on (SIGCONT). */
  async thaw(): Promise<void> {
    await this.#signal("CONT");
  }

  /**
   * Starts a command on this node, in the current folder unless told
   * otherwise, with what it needs to find libcpg and corosync's programs in its
   * environment.
   */
  spawn(
    command: readonly string[],
    options: SpawnOptions = {},
  ): PlaceProcess {
    const env = { ...this.#env(), ...options.env };
    return this.#place.spawn(command, { ...options, env });
  }

  /** Asks the daemon what it knows; undefined if it does not answer. */
  async view(): Promise<View | undefined> {
    const { cmapctl, cpgtool } = this.#settings.corosync;
    // A busy daemon takes its time, and a frozen one never answers.
    const script = 'timeout -s KILL 10 "$0" runtime.members && echo && ' +
      'timeout -s KILL 10 "$0" -m stats stats.srp.orf_token_rx && echo && ' +
      'exec timeout -s KILL 10 "$1" -d " "';
    const output = await this.#place
      .run(["sh", "-c", script, cmapctl, cpgtool], this.#env())
      .catch(() => undefined);
    if (output === undefined) return undefined;
    const [members, tokens, groups] = output.split("\n\n");
    return {
      ring: [...members.matchAll(/^[^0-9]*(\d+)\.status .* = joined$/gm)]
        .map(([, id]) => Number(id)).sort((a, b) => a - b),
      // Below a line of titles: the group's name, a process id, a node id.
      groups: groups.trimEnd().split("\n").slice(1).sort(),
      tokens: Number(tokens.split("= ")[1]),
    };
  }

  #env(): Record<string, string> {
    const { corosync, folder } = this.#settings;
    return {
      ...corosync.env,
      PATH: `${process.env.PATH ?? ""}:${dirname(corosync.daemon)}`,
      [FOLDER_VARIABLE]: folder,
    };
  }

  #file(name: string): string {
    return `${this.#place.root}${this.#settings.folder}/${name}`;
  }

  /** The text of a file of the node; empty once the node has ended. */
  #read(name: string): string {
    try {
      return readFileSync(this.#file(name), "utf8");
    } catch (error) {
      if (hasCode(error, "ENOENT")) return "";
      throw error;
    }
  }

  /** The state of a daemon as in proc(5), or undefined if it is no more. */
  #state(pid: number | string): string | undefined {
    let stat: string;
    try {
      stat = readFileSync(`${this.#place.root}/proc/${pid}/stat`, "utf8");
    } catch {
      return undefined;
    }
    // After "<pid> (<name>)": the state as field 3, the threads as field 20.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, threads] = [fields[0], Number(fields[17])];
    // A zombie with other threads left still holds its lock file.
    return state === "Z" && threads <= 1 ? undefined : state;
  }

  /** Signals the daemon, which may have ended when it does. */
  async #signal(name: string): Promise<number> {
    const { pid } = this;
    if (pid === undefined) throw this.#error("is not running");
    // Calls made together mean the same daemon: a spawn that takes its time must
    // not let one of them end it before the next has looked.
    await null;
    const command = ["sh", "-c", 'kill -s "$0" "$1"', name, `${pid}`];
    await this.#place.run(command).catch((error) => {
      if (this.#state(pid) !== undefined) throw error;
    });
    return pid;
  }

  /** Waits until the daemon answers, or has ended; returns whether it answers. */
  async #answers(options?: WaitOptions): Promise<boolean> {
    const timeout = timeoutOf(options);
    // A daemon takes no connection before its first ring is complete, and a
    // frozen one keeps who asks waiting.
    const seconds = timeout > 1_000 ? "2" : "1";
    const { cpgtool } = this.#settings.corosync;
    const ask = ["timeout", "-s", "KILL", seconds, cpgtool];
    await this.#until("ready", timeout, async () => {
      return this.pid === undefined ||
        await this.#place.run(ask, this.#env()).then(() => true, () => false);
    });
    return this.pid !== undefined;
  }

  async #ended(pid: number, timeout: number): Promise<void> {
    await this.#until("ended", timeout, () => this.#state(pid) === undefined);
  }

  async #until(
    what: string,
    timeout: number,
    condition: () => boolean | Promise<boolean>,
  ): Promise<void> {
    const deadline = Date.now() + timeout;
    while (!await condition()) {
      if (Date.now() > deadline) {
        throw this.#error(`is not ${what} after ${timeout} ms`);
      }
      await pause(10);
    }
  }

  #error(what: string): Error {
    const lines = this.log.trimEnd().split("\n").slice(-QUOTED);
    return new Error(
      `corosync on node ${this.id} ${what}; the end of its log:\n` +
        lines.map((line) => `  ${line}`).join("\n"),
    );
  }
}

/** How long to wait, in milliseconds. */
export function timeoutOf({ timeout = 30_000 }: WaitOptions = {}): number {
  if (timeout >= 0) return timeout;
  throw new RangeError(`The timeout is in milliseconds, not ${timeout}`);
}

/** How the node was made that this process was started on. */
export function ambientSettings(): NodeSettings {
  const folder = process.env[FOLDER_VARIABLE];
  if (folder === undefined) {
    throw new Error(
      "Not on a node of a private corosync: start this program with " +
        "`deno run -A testing/mod.ts -- …`",
    );
  }
  return JSON.parse(readFileSync(`${folder}/${DESCRIPTION_FILE}`, "utf8"));
}
