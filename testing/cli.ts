/**
 * The command line: runs a command beside a private corosync.
 *
 * @module
 */

import { readFile } from "node:fs/promises";
import process from "node:process";
import type { Isolation } from "./isolation.ts";
import { RAISE_LOOPBACK, raiseLoopback } from "./loopback.ts";
import type { PlaceProcess } from "./place.ts";
import { startCluster, type StartOptions } from "./start.ts";
import { runSwitch, SWITCH } from "./switch.ts";

const USAGE =
  `Runs a command beside a private corosync, or on the first node of a private
cluster.

Usage: deno run -A testing/mod.ts [option…] [--] command [argument…]

  --nodes <number>     how many nodes the cluster has; 1 if not given
  --fetched            use a copy fetched into .corosync/ even if corosync is
                       installed
  --isolation <way>    the only way of isolation to try: namespaces,
                       user-namespaces or in-place
  --help               print this

In a namespace there is no network but loopback and that of the cluster, and /run and /dev/shm are
empty at first: download whatever the command needs beforehand.

The exit status is the command's, 128 + n if signal n ended it, and 125 if the
private corosync could not be started.
`;

/** The exit status for a failure that is not the command's. */
const FAILED = 125;

/** Signals that ask the command, not us, to end. */
const FORWARDED = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"] as const;

/** What the arguments ask for. */
interface Request {
  options: StartOptions;
  command: string[];
}

/** Does what `args` say and returns the exit status. */
export async function main(args: string[]): Promise<number> {
  try {
    if (args[0] === "--help") {
      console.log(USAGE);
      return 0;
    }
    // What only our own programs ask for.
    if (args[0] === RAISE_LOOPBACK) {
      raiseLoopback();
      return 0;
    }
    if (args[0] === SWITCH) return await runSwitch(JSON.parse(args[1]));
    const { options, command } = parse(args);
    await using cluster = await startCluster(options);
    return await supervise(() => cluster.nodes[0].spawn(command));
  } catch (error) {
    console.error(`error: ${error instanceof Error ? error.message : error}`);
    return FAILED;
  }
}

function parse(args: string[]): Request {
  const options: { -readonly [K in keyof StartOptions]: StartOptions[K] } = {};
  const command = [...args];
  while (command[0]?.startsWith("-")) {
    const option = command.shift();
    if (option === "--") break;
    if (option === "--fetched") {
      options.fetched = true;
    } else if (option === "--nodes") {
      options.nodes = Number(command.shift());
    } else if (option === "--isolation") {
      options.isolation = command.shift() as Isolation;
    } else {
      throw new Error(`Unknown option ${option}; see --help`);
    }
  }
  if (command.length === 0) throw new Error("No command given; see --help");
  return { options, command };
}

/** Starts the command, hands signals on to it, and returns its exit status. */
async function supervise(start: () => PlaceProcess): Promise<number> {
  const handlers = FORWARDED.map((signal) => {
    const handler = async () => {
      if (!await sentByTerminal(signal)) await command.kill(signal);
    };
    process.on(signal, handler);
    return () => process.off(signal, handler);
  });
  // Only now: the command may be the faster one to see Ctrl-C.
  const command = start();
  try {
    return (await command.status).code;
  } finally {
    for (const remove of handlers) remove();
  }
}

/**
 * Whether a signal is that of a key, as far as one can tell: then the terminal
 * has sent it to the command as well, which shares our process group.
 */
async function sentByTerminal(signal: string): Promise<boolean> {
  if (signal !== "SIGINT" && signal !== "SIGQUIT") return false;
  const stat = await readFile("/proc/self/stat", "utf8");
  // After "<pid> (<name>)": state, ppid, pgrp, session, tty_nr, tpgid, …
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[2] === fields[5];
}
