/**
 * Waiting for descriptors: one `poll` on one thread for all groups, however
 * many there are, and none while nothing is waited for. Where the wait is
 * likely to be a short one, this thread waits itself, but only for a moment.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { SIZEOF_POLLFD, SIZEOF_TIMESPEC } from "./libc.ts";
import type { Libcpg } from "./libcpg.ts";
import { NativeMemory } from "./memory.ts";

/** There is something to read. */
export const POLLIN = 0x1;
/** Writing would not block. */
export const POLLOUT = 0x4;
/** The other side is gone, or the descriptor is unusable. */
export const POLLGONE = 0x8 | 0x10 | 0x20;

const EFD_CLOEXEC = 0o2000000;
const EFD_NONBLOCK = 0o4000;

/** Whether the process can have so many more descriptors. */
export function hasDescriptors({ calls }: Libcpg, count: number): boolean {
  const fds = Array.from({ length: count }, () => calls.eventfd(0, EFD_CLOEXEC))
    .filter((fd) => fd >= 0);
  for (const fd of fds) calls.close(fd);
  return fds.length === count;
}

/**
 * The longest single `poll`, in milliseconds. Only a terminated Worker, which
 * can wake nobody any more, ever waits that long, for its thread to end.
 */
const LONGEST_POLL = 5000;

/**
 * A wait shorter than this, in milliseconds, makes it likely that the next one
 * is short, too.
 */
const SHORT_WAIT = 2;

/**
 * A wait shorter than this, in milliseconds, makes it likely that the next one
 * is over before this thread would have slept and been woken: so it stays awake
 * for as long, and only leaves the processor to those who need it.
 */
const NO_WAIT = 0.2;

/** The most looks in that time. */
const MOST_LOOKS = 200;

/** The longest wait on this thread, in nanoseconds. */
const LONGEST_WAIT = 1_000_000n;

/**
 * How long the event loop may turn without a rest, in milliseconds. Turning, it
 * gives timers their due; but Deno's looks at sockets only every 61st time.
 */
const REST_INTERVAL = 16;

/** So many turns are as good as a rest: tokio, below Deno, looks every 61st. */
const TURNS_TO_REST = 64;

/** How soon it rests where it has to wait anyway, in milliseconds. */
const REST_CHANCE = 8;

/** The longest rest, in milliseconds. */
const LONGEST_REST = 2;

/** Resolves when the event loop has had a turn. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** One descriptor that is being waited for. */
export interface Watch {
  /** Waits for other events from now on. */
  change(events: number): void;
  /** Stops waiting; resolves when no `poll` looks at the descriptor. */
  cancel(): Promise<void>;
}

interface Entry {
  readonly fd: number;
  events: number;
  readonly ready: (revents: number) => void;
}

/** Waits for the descriptors of all groups that use one libcpg. */
export class Poller {
  static readonly #pollers = new WeakMap<Libcpg, Poller>();
  readonly #libcpg: Libcpg;
  readonly #entries = new Set<Entry>();
  /** What to wake a poll elsewhere with, as long as there are connections. */
  #wakeFd = -1;
  #connections = 0;
  #loop: Promise<void> | undefined;
  /** What polls read and write. */
  #memory: NativeMemory | undefined;
  /** The poll in flight elsewhere. */
  #polling: Promise<number> | undefined;
  /** How long the last wait was, in milliseconds. */
  #lastWait = Infinity;
  /** Who is waiting for a turn of the event loop. */
  #turns = 0;
  /** Calls that other threads are making. */
  #calls = 0;
  /** When the event loop had its last rest. */
  #rested = 0;
  /** How often it has turned for this since then; for others it may have, too. */
  #turned = 0;
  #resting: Promise<void> | undefined;
  /** The call that it rests on. */
  #nap: Promise<void> | undefined;

  private constructor(libcpg: Libcpg) {
    this.#libcpg = libcpg;
  }

  /** The one poller of a library. */
  static of(libcpg: Libcpg): Poller {
    let poller = this.#pollers.get(libcpg);
    if (!poller) this.#pollers.set(libcpg, poller = new Poller(libcpg));
    return poller;
  }

  /** There is one more connection to wait for. */
  hold(): void {
    this.#connections++;
    if (this.#wakeFd >= 0) return;
    this.#wakeFd = this.#libcpg.calls.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  }

  /** There is one less; resolves when nothing is left of the last. */
  async release(): Promise<void> {
    this.#connections--;
    if (this.#connections === 0) await Promise.all([this.#loop, this.#nap]);
    if (this.#connections > 0 || this.#wakeFd < 0) return;
    this.#libcpg.calls.close(this.#wakeFd);
    this.#wakeFd = -1;
    this.#memory?.free();
    this.#memory = undefined;
  }

  /**
   * Waits, once, until a descriptor shows one of `events`, or is gone.
   * `ready` gets the `revents` of `poll(2)`, and may watch again.
   */
  watch(fd: number, events: number, ready: Entry["ready"]): Watch {
    const entry = { fd, events, ready };
    this.#entries.add(entry);
    if (this.#loop) this.#wake();
    else this.#loop = this.#run();
    return {
      change: (events) => {
        if (entry.events === events) return;
        entry.events = events;
        this.#wake();
      },
      cancel: () => this.#cancel(entry),
    };
  }

  /**
   * Awaits what this thread must not sleep through: a call that another thread
   * makes, or what is to happen before the next turn. Until then this thread
   * does not wait itself, for it would not see that it is over.
   */
  async elsewhere<T>(call: () => Promise<T>): Promise<T> {
    this.#calls++;
    try {
      return await call();
    } finally {
      this.#calls--;
    }
  }

  /** Resolves when the event loop has had a turn. */
  async turn(): Promise<void> {
    this.#turns++;
    try {
      if (performance.now() - this.#rested < REST_INTERVAL) await turn();
      else await (this.#resting ??= this.#rest());
    } finally {
      this.#turns--;
    }
  }

  #hasRested(): void {
    this.#rested = performance.now();
    this.#turned = 0;
  }

  /** Has the event loop wait for another thread, if only for a moment. */
  async #rest(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    // Calls that do not return may have all threads.
    const timer = setTimeout(resolve, LONGEST_REST);
    this.#nap ??= this.#doze();
    await Promise.race([this.#nap, promise]);
    clearTimeout(timer);
    this.#hasRested();
    this.#resting = undefined;
  }

  /** Sleeps on another thread for the shortest time there is. */
  async #doze(): Promise<void> {
    const memory = new NativeMemory(this.#libcpg, SIZEOF_TIMESPEC);
    memory.view.setBigUint64(0, 0n, true);
    memory.view.setBigUint64(8, 1n, true);
    // Without a thread, a turn has to do.
    await this.#libcpg.async.ppoll(0n, 0n, memory.address, 0n).catch(turn);
    memory.free();
    this.#nap = undefined;
  }

  async #cancel(entry: Entry): Promise<void> {
    if (!this.#entries.delete(entry)) return;
    this.#wake();
    await this.#polling;
  }

  #wake(): void {
    if (!this.#polling) return;
    const one = new NativeMemory(this.#libcpg, 8);
    one.view.setBigUint64(0, 1n, true);
    this.#libcpg.calls.write(this.#wakeFd, one.address, 8n);
    one.free();
  }

  async #run(): Promise<void> {
    try {
      while (this.#entries.size > 0) {
        // Whoever begins to wait within this turn is waited for as well.
        await this.turn();
        if (++this.#turned === TURNS_TO_REST) this.#hasRested();
        if (this.#entries.size > 0) await this.#pollOnce();
      }
    } finally {
      this.#loop = undefined;
    }
  }

  /** Memory for so many descriptors, behind the time that a poll may take. */
  #pollMemory(count: number): NativeMemory {
    const size = SIZEOF_TIMESPEC + count * SIZEOF_POLLFD;
    if (!this.#memory || this.#memory.bytes.length < size) {
      this.#memory?.free();
      this.#memory = undefined;
      this.#memory = new NativeMemory(this.#libcpg, 2 * size);
    }
    return this.#memory;
  }

  async #pollOnce(): Promise<void> {
    const { calls, async } = this.#libcpg;
    const entries = [...this.#entries];
    const count = 1 + entries.length;
    const { view, address } = this.#pollMemory(count);
    const offset = (i: number) => SIZEOF_TIMESPEC + i * SIZEOF_POLLFD;
    const set = (i: number, fd: number, events: number) => {
      view.setInt32(offset(i), fd, true);
      view.setInt32(offset(i) + 4, events, true);
    };
    const revents = (i: number) => view.getInt16(offset(i) + 6, true);
    set(0, this.#wakeFd, POLLIN);
    entries.forEach(({ fd, events }, i) => set(i + 1, fd, events));
    const fds = address + BigInt(SIZEOF_TIMESPEC);
    const alone = this.#turns === 0;
    const start = performance.now();
    const tired = start - this.#rested > REST_CHANCE;
    const here = alone && !tired && this.#calls === 0;
    const poll = (nanoseconds: bigint) => {
      view.setBigUint64(0, 0n, true);
      view.setBigUint64(8, nanoseconds, true);
      return calls.ppoll(fds, BigInt(count), address, 0n);
    };
    let ready = 0;
    if (!alone || this.#lastWait < SHORT_WAIT) {
      ready = poll(0n);
      if (here && this.#lastWait < NO_WAIT) {
        // By number as well: a program's tests may have stopped the clock.
        for (let looks = 0; ready === 0 && looks < MOST_LOOKS; looks++) {
          if (performance.now() - start > NO_WAIT) break;
          calls.sched_yield();
          ready = poll(0n);
        }
      }
      if (here && ready === 0) ready = poll(LONGEST_WAIT);
    }
    if (alone && ready === 0) {
      this.#polling = async.poll(fds, BigInt(count), LONGEST_POLL)
        .catch(async () => {
          // There is no thread to be had, for now.
          await new Promise((resolve) => setTimeout(resolve, LONGEST_REST));
          return poll(0n);
        });
      await this.#polling;
      this.#polling = undefined;
      this.#hasRested();
    }
    if (alone) this.#lastWait = performance.now() - start;
    if (revents(0)) {
      calls.read(this.#wakeFd, address, 8n);
    }
    const served = entries.map((entry, i) => ({ entry, of: revents(i + 1) }));
    for (const { entry, of } of served) {
      if (of && this.#entries.delete(entry)) entry.ready(of);
    }
  }
}
