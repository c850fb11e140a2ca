/**
 * Child processes with web streams for their pipes, on every runtime.
 *
 * @module
 */

import {
  type ChildProcess,
  spawn,
  type StdioOptions,
} from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import { constants } from "node:os";
import process from "node:process";
import { PassThrough, Readable, Writable } from "node:stream";

/** Where a standard stream of a process leads. */
export type Stdio = "piped" | "inherit" | "null";

/** How to start a process. */
export interface SpawnOptions {
  /** The folder that it starts in. By default that of this process. */
  readonly cwd?: string | URL;
  /** Environment variables besides those of this process. */
  readonly env?: Record<string, string>;
  /** By default `"inherit"`. */
  readonly stdin?: Stdio;
  /** By default `"inherit"`. */
  readonly stdout?: Stdio;
  /** By default `"inherit"`. */
  readonly stderr?: Stdio;
}

/** How a process has ended. */
export interface ProcessStatus {
  /** Whether its exit status is 0. */
  readonly success: boolean;
  /** Its exit status; 128 + n if signal n ended it. */
  readonly code: number;
  /** Name of the signal that ended it, if one did. */
  readonly signal: string | null;
}

/** How a process has ended, and what it has written. */
export interface ProcessOutput extends ProcessStatus {
  /** What came through standard output, if it is piped. */
  readonly stdout: Uint8Array<ArrayBuffer>;
  /** What came through standard error, if it is piped. */
  readonly stderr: Uint8Array<ArrayBuffer>;
}

/** A process that this one has started. */
export class Process {
  /** How it ended; rejects if it could not be started. */
  readonly status: Promise<ProcessStatus>;
  readonly #child: ChildProcess;
  readonly #lifeline: Socket | undefined;
  readonly #output: Readable | undefined;
  readonly #errors: Readable | undefined;
  #stdin: WritableStream<Uint8Array> | undefined;
  #stdout: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  #stderr: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;

  /**
   * Starts a program with its arguments.
   *
   * @param lifeline Give it a descriptor 3 that ends with
   * {@linkcode endLifeline}, or with this process, however that ends; a
   * standard input would also end with the program itself, and not go on for
   * what that one has started.
   */
  constructor(
    command: readonly string[],
    options: SpawnOptions = {},
    lifeline = false,
  ) {
    const [program, ...args] = command;
    const stdio = [options.stdin, options.stdout, options.stderr].map((way) =>
      way === "piped" ? "pipe" : way === "null" ? "ignore" : "inherit"
    );
    if (lifeline) stdio.push("pipe");
    this.#child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: stdio as StdioOptions,
    });
    this.#output = kept(this.#child.stdout);
    this.#errors = kept(this.#child.stderr);
    this.status = statusOf(this.#child);
    // Who asks for the status gets the error.
    this.status.catch(() => {});
    this.#lifeline = this.#child.stdio[3] as Socket | undefined;
    // What is written after its end is lost, and no error of this process.
    this.#child.stdin?.on("error", () => {});
  }

  /** Its process id; 0 if it could not be started. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Its standard input, if it is piped. */
  get stdin(): WritableStream<Uint8Array> {
    return this.#stdin ??= Writable.toWeb(piped(this.#child.stdin));
  }

  /** Its standard output, if it is piped. */
  get stdout(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#stdout ??= toWeb(piped(this.#output));
  }

  /** Its standard error, if it is piped. */
  get stderr(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#stderr ??= toWeb(piped(this.#errors));
  }

  /** Waits for its end, and for the end of all that it writes. */
  async output(): Promise<ProcessOutput> {
    const [status, stdout, stderr] = await Promise.all([
      this.status,
      collect(this.#output),
      collect(this.#errors),
    ]);
    return { ...status, stdout, stderr };
  }

  /** Ends its lifeline. */
  endLifeline(): void {
    this.#lifeline?.destroy();
  }

  /** Keeps this process running until that one has ended, as it is at first. */
  ref(): void {
    this.#child.ref();
  }

  /** Lets this process end before that one. */
  unref(): void {
    this.#child.unref();
    this.#lifeline?.unref();
  }
}

async function statusOf(child: ChildProcess): Promise<ProcessStatus> {
  const [exit, signal] = await once(child, "exit");
  const code = exit ?? 128 + constants.signals[signal as NodeJS.Signals];
  return { success: code === 0, code, signal };
}

/** What a process writes; Node drops what is not read before it has ended. */
function kept(source: Readable | null): Readable | undefined {
  if (!source) return undefined;
  const stream = new PassThrough();
  // Not by `pipeline`, which passes on the error that stands for a cancelled
  // stream: Deno rejects a promise with it that nobody has.
  stream.on("close", () => source.destroy());
  source.on("error", () => {});
  source.on("close", () => stream.end());
  return source.pipe(stream);
}

function piped<T>(stream: T | null | undefined): T {
  if (!stream) throw new TypeError("The stream is not piped");
  return stream;
}

function toWeb(stream: Readable): ReadableStream<Uint8Array<ArrayBuffer>> {
  return Readable.toWeb(stream) as ReadableStream<Uint8Array<ArrayBuffer>>;
}

async function collect(
  stream: Readable | undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  for await (const chunk of stream ?? []) chunks.push(chunk);
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}
