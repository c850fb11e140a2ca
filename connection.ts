/**
 * One connection to corosync: its handle, its descriptor, and the rule that
 * its requests never overlap.
 *
 * @module
 */
import { clearTimeout, setTimeout } from "node:timers";
import { Ending } from "./abortable.ts";
import { CpgError } from "./errors.ts";
import { CpgModelFlag, CsError } from "./ffi.ts";
import { inTurn } from "./in_turn.ts";
import type { Libcpg } from "./libcpg.ts";
import { NativeMemory } from "./memory.ts";
import { PollSet } from "./poll_set.ts";
import type { Watch } from "./poller.ts";
import { hasDescriptors, Poller, POLLGONE, POLLOUT } from "./poller.ts";
import { Queue } from "./queue.ts";
import type { Sent } from "./sender.ts";
import { SocketRoom } from "./socket_room.ts";
import { SIZEOF_CPG_MODEL_V1_DATA, writeCpgModelV1Data } from "./structs.ts";

/** Addresses of the three callbacks of model v1. */
export interface Callbacks {
  readonly deliver: bigint;
  readonly confchg: bigint;
  readonly totemConfchg: bigint;
}

/** What an error names. */
export interface Named {
  /** What it is for, to begin an error's message with. */
  readonly doing: string;
  /** The C function. */
  readonly call: string;
}

/** One call of libcpg that may have to be tried several times. */
export interface Request extends Named {
  /**
   * Whether the call never waits for the daemon. Once corosync has refused a
   * request, such ones wait until it has got on: it would refuse them, too.
   */
  readonly immediate?: boolean;
  /** Makes the call and gives its result code; may use the memory meanwhile. */
  attempt(memory: NativeMemory): number | Promise<number>;
}

/** Calls of libcpg that never wait for the daemon, one behind the other. */
export interface Batch extends Named {
  /** How many. */
  readonly count: number;
  /** Makes some of them, at most so many, until one does not give CS_OK. */
  attempt(from: number, most: number): Sent;
}

/**
 * The memory of a request, in bytes: more than any needs for its structs, and
 * the rest for a small message.
 */
const REQUEST_MEMORY = 16_384;

/**
 * The first pause before another attempt where nothing shows that corosync gets
 * on, in milliseconds. Sooner, large messages pile up: docs/performance.md.
 */
export const FIRST_PAUSE = 4;

/** The longest pause between two attempts, in milliseconds. */
const LONGEST_PAUSE = 64;

/**
 * Looks that `send` takes before others have had their turn. With more, it gets
 * further ahead of its own reader.
 */
const MOST_LOOKS = 1;

/** The most descriptors that connecting takes at a time. */
const DESCRIPTORS = 3;

/** A handle of libcpg, from `cpg_model_initialize` to `cpg_finalize`. */
export class Connection {
  readonly libcpg: Libcpg;
  readonly handle: bigint;
  /** Readable when there is something to dispatch. */
  readonly fd: number;
  /** The largest message sent in one piece, in bytes. */
  readonly maxAtomicSize: number;
  /** Ends with the error for what is pending. */
  readonly ending: Ending = new Ending();
  readonly #memory: NativeMemory;
  /** The socket alone. */
  readonly #set: PollSet;
  #busy = false;
  readonly #waiting = new Queue<() => void>();
  readonly #room: SocketRoom;
  /** Sends that the last look has found room for. */
  #sendsLeft = 0;
  /** Looks left to `send`; below 0 where `trySend` has taken more: it waits. */
  #looksLeft = 0;
  /** Goes on with the send that waits for room. */
  #resume: (() => void) | undefined;
  #roomWatch: Watch | undefined;
  #refused = false;
  /** Those who wait for progress. */
  readonly #retries = new Set<(progress: boolean) => void>();
  /** Runs while someone waits; and how long it takes, in milliseconds. */
  #retryTimer:
    | { timeout: ReturnType<typeof setTimeout>; wait: number }
    | undefined;

  private constructor(libcpg: Libcpg, handle: bigint) {
    this.libcpg = libcpg;
    this.handle = handle;
    this.#memory = new NativeMemory(libcpg, REQUEST_MEMORY);
    this.#set = new PollSet(libcpg);
    this.ending.onEnd(() => {
      this.#retry(true);
      this.#goOn();
    });
    this.fd = this.#ask("cpg_fd_get");
    this.#set.arrange([{ fd: this.fd, events: POLLOUT }]);
    this.maxAtomicSize = this.#ask("cpg_max_atomic_msgsize_get");
    this.#room = new SocketRoom(
      libcpg,
      this.fd,
      () => (this.#look() & POLLOUT) !== 0,
    );
    Poller.of(libcpg).hold();
  }

  /** Connects to the daemon. (`cpg_model_initialize`) */
  static async open(
    libcpg: Libcpg,
    callbacks: Callbacks,
    doing: string,
  ): Promise<Connection> {
    const call = "cpg_model_initialize";
    const memory = new NativeMemory(libcpg, 8 + SIZEOF_CPG_MODEL_V1_DATA);
    try {
      writeCpgModelV1Data(memory.view, 8, {
        ...callbacks,
        flags: CpgModelFlag.DELIVER_INITIAL_TOTEM_CONF,
      });
      const data = memory.address + 8n;
      const result = await inTurn(libcpg, () => {
        // Without one for the socket, libqb closes descriptor 0, whatever that
        // is; with too few, it says that there is no daemon.
        if (!hasDescriptors(libcpg, DESCRIPTORS)) {
          throw new CpgError(doing, call, "CS_ERR_NO_RESOURCES", {
            remedy:
              "no more files can be opened: close some, or raise the limit (ulimit -n)",
          });
        }
        return libcpg.async[call](memory.address, 1, data, 0n);
      });
      if (result !== CsError.CS_OK) throw new CpgError(doing, call, result);
      const handle = memory.view.getBigUint64(0, true);
      try {
        return new Connection(libcpg, handle);
      } catch (error) {
        await finalize(libcpg, handle);
        throw error;
      }
    } finally {
      memory.free();
    }
  }

  /** What libcpg knows without asking the daemon. */
  #ask(call: "cpg_fd_get" | "cpg_max_atomic_msgsize_get"): number {
    const result = this.libcpg.calls[call](this.handle, this.#memory.address);
    if (result !== CsError.CS_OK) {
      throw new CpgError("Cannot use the connection", call, result);
    }
    return this.#memory.view.getInt32(0, true);
  }

  /**
   * Makes one attempt of a request at once, if no other is under way; that
   * attempt must not wait for the daemon.
   *
   * @returns Whether corosync took it.
   */
  try(request: Request): boolean {
    if (this.#busy || !this.#hasRoom()) return false;
    this.#sendsLeft--;
    return this.#taken(request, request.attempt(this.#memory) as number);
  }

  /**
   * Makes the calls of a batch until corosync does not take one.
   *
   * @returns How many it took; an error is thrown only where it took none, or
   * the daemon is lost.
   */
  trySome(batch: Batch): number {
    let taken = 0;
    while (taken < batch.count && !this.#busy && this.#hasRoom()) {
      const { count, result } = batch.attempt(taken, this.#sendsLeft);
      taken += count;
      this.#sendsLeft -= count;
      const failed = result !== CsError.CS_OK &&
        result !== CsError.CS_ERR_TRY_AGAIN;
      // Where the daemon is lost, nobody knows what has become of the rest.
      const isLost = result === CsError.CS_ERR_LIBRARY;
      if (failed && taken > 0 && !isLost) break;
      if (!this.#taken(batch, result)) break;
    }
    return taken;
  }

  /** Makes a request, again and again while corosync says to try again. */
  async call(request: Request, signal?: AbortSignal): Promise<void> {
    for (let wait = FIRST_PAUSE;;) {
      if (!(request.immediate && this.#refused)) {
        const result = await this.exclusive(async () => {
          this.ending.check();
          signal?.throwIfAborted();
          return await request.attempt(this.#memory);
        });
        if (this.#taken(request, result)) return;
        // Nothing wakes who begins to wait after the end.
        this.ending.check();
      }
      wait = await this.#untilProgress(wait, signal);
    }
  }

  /**
   * Corosync gets on: tries again what it refused, and goes on with what waits
   * for room that is there; says whether it has done anything.
   */
  progress(): boolean {
    // Not for what begins to wait just now.
    const hasRoom = this.hasRoomForWaiting;
    const retried = this.#retry(true);
    if (hasRoom) this.#goOn();
    return retried || hasRoom;
  }

  /** Whether a send waits for room that is there by now. */
  get hasRoomForWaiting(): boolean {
    return this.#resume !== undefined && this.#room.look() > 0;
  }

  #goOn(): void {
    const resume = this.#resume;
    this.#resume = undefined;
    resume?.();
  }

  /** Tries again what was refused; `send` may then look for room again. */
  #retry(progress: boolean): boolean {
    this.#refused = false;
    this.#looksLeft = MOST_LOOKS; // Others have had their turn.
    const waiting = [...this.#retries];
    this.#retries.clear();
    for (const retry of waiting) retry(progress);
    return waiting.length > 0;
  }

  /**
   * Calls `retry` once, on progress or else after some milliseconds, with how
   * long to wait should corosync refuse again; the result stops that.
   */
  onProgress(
    milliseconds: number,
    retry: (milliseconds: number) => void,
  ): () => void {
    this.#setRetryTimer(milliseconds);
    const waiter = (progress: boolean) =>
      retry(progress ? FIRST_PAUSE : Math.min(2 * milliseconds, LONGEST_PAUSE));
    this.#retries.add(waiter);
    return () => this.#retries.delete(waiter);
  }

  /** Resolves as `onProgress` calls, or when the signal is aborted. */
  async #untilProgress(
    milliseconds: number,
    signal?: AbortSignal,
  ): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<number>();
    const forget = this.onProgress(milliseconds, resolve);
    const abort = () => resolve(milliseconds);
    signal?.addEventListener("abort", abort);
    const next = await promise;
    forget();
    signal?.removeEventListener("abort", abort);
    return next;
  }

  /**
   * Has requests tried again after some milliseconds. Progress comes before
   * that, as a rule, so the timer is put off each time someone is the first to
   * wait: a timer that goes off costs more than some messages.
   */
  #setRetryTimer(milliseconds: number): void {
    const { timeout, wait } = this.#retryTimer ?? {};
    if (this.#retries.size > 0 && wait! <= milliseconds) return;
    if (wait === milliseconds) {
      timeout!.refresh();
      return;
    }
    clearTimeout(timeout);
    this.#retryTimer = {
      timeout: setTimeout(() => this.#retry(false), milliseconds),
      wait: milliseconds,
    };
  }

  /** Runs a task when all requests before it are done, and alone. */
  async exclusive<T>(task: () => Promise<T>): Promise<T> {
    if (this.#busy) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#busy = true;
    try {
      return await Poller.of(this.libcpg).elsewhere(task);
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#busy = false;
    }
  }

  /** Whether corosync took the request; false if it says to try again. */
  #taken({ doing, call }: Named, result: number): boolean {
    this.#refused = result === CsError.CS_ERR_TRY_AGAIN;
    if (this.#refused) return false;
    if (result === CsError.CS_OK) return true;
    throw new CpgError(doing, call, result);
  }

  /** Whether corosync has refused a request that is still to wait. */
  get refused(): boolean {
    return this.#refused;
  }

  /** Whether `send` may go on: it is its turn, and there is room. */
  maySend(): boolean {
    if (this.#sendsLeft === 0 && this.#looksLeft > 0) this.#lookForRoom();
    return this.#sendsLeft > 0 && this.#looksLeft >= 0;
  }

  /**
   * Whether a send may write to the socket without spinning. A daemon that is
   * gone leaves it empty, and the send says so.
   */
  #hasRoom(): boolean {
    if (this.#sendsLeft === 0) this.#lookForRoom();
    return this.#sendsLeft > 0;
  }

  /** Looks at the socket, and lets as many send as there is room for. */
  #lookForRoom(): void {
    this.#sendsLeft = this.#room.look();
    this.#looksLeft = this.#sendsLeft > 0 ? this.#looksLeft - 1 : 0;
  }

  /** Whether the daemon is gone. */
  get broken(): boolean {
    return (this.#look() & POLLGONE) !== 0;
  }

  /** What the socket is ready for. */
  #look(): number {
    return this.#set.here(0n) > 0 ? this.#set.found(0) : 0;
  }

  /**
   * Calls back, once, when three quarters of the socket are free, `progress` has
   * found room before that, or at the end; one can wait at a time.
   */
  onWritable(resume: () => void): void {
    this.#resume = resume;
    this.#roomWatch ??= Poller.of(this.libcpg).watch(this.fd, POLLOUT, () => {
      this.#roomWatch = undefined;
      this.#looksLeft = MOST_LOOKS;
      this.#goOn();
    });
  }

  /** Gives the handle back; nothing may use the connection any more. */
  async finalize(): Promise<void> {
    await this.#roomWatch?.cancel();
    await this.exclusive(() => finalize(this.libcpg, this.handle));
    await Poller.of(this.libcpg).release();
    clearTimeout(this.#retryTimer?.timeout);
    this.#memory.free();
    this.#set.free();
    this.#room.free();
  }
}

async function finalize(libcpg: Libcpg, handle: bigint): Promise<void> {
  // Its result is of no use: the handle is gone in any case.
  await inTurn(libcpg, () => libcpg.async.cpg_finalize(handle));
}
