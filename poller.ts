/**
 * Waiting for descriptors: one `poll` on one thread for all groups, however
 * many there are, and none while nothing is waited for. Where the wait is
 * likely to be a short one, this thread waits itself, but only for a moment.
 *
 * @module
 */
import process from "node:process";
import { setImmediate } from "node:timers";
import { SIZEOF_TIMESPEC } from "./libc.ts";
import type { Libcpg } from "./libcpg.ts";
import { NativeMemory } from "./memory.ts";
import { PollSet } from "./poll_set.ts";

/** Kept, for a program's tests may replace it. */
const { nextTick } = process;

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

/**
 * How soon the event loop has its turn where something is always ready, in
 * milliseconds. A turn costs as much as some messages.
 */
const TURN_INTERVAL = 1;

/** By number as well: a program's tests may have stopped the clock. */
const MOST_SERVINGS = 100;

/** The longest rest, in milliseconds. */
const LONGEST_REST = 2;

/** Resolves when the event loop has had a turn. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Resolves when all promises have had their effect. */
function settled(): Promise<void> {
  return new Promise((resolve) => nextTick(resolve));
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
  readonly #set: PollSet;
  /** The poll in flight elsewhere. */
  #polling: Promise<number> | undefined;
  /** How long the last wait was, in milliseconds. */
  #lastWait = Infinity;
  /** Who is waiting for a turn of the event loop, or for promises alone. */
  #turns = 0;
  /** Calls that other threads are making. */
  #calls = 0;
  /** When the event loop had its last rest. */
  #rested = 0;
  /** How often it has turned for this since then; for others it may have, too. */
  #turned = 0;
  /** When it had its last turn. */
  #turnEnded = 0;
  /** How often somebody was served since then, or had promises' effects. */
  #servings = 0;
  #resting: Promise<void> | undefined;
  /** The call that it rests on. */
  #nap: Promise<void> | undefined;

  private constructor(libcpg: Libcpg) {
    this.#libcpg = libcpg;
    this.#set = new PollSet(libcpg);
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
    this.#set.free();
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
   * Awaits a call that another thread makes. Until then this thread does not
   * wait itself, for it would not see that it is over.
   */
  async elsewhere<T>(call: () => Promise<T>): Promise<T> {
    this.#calls++;
    try {
      return await call();
    } finally {
      this.#calls--;
    }
  }

  /**
   * Resolves when all promises have had their effect, and the event loop its
   * turn if that is due.
   */
  turnIfDue(): Promise<void> {
    const turned = this.#isTurnDue ? this.turn() : settled();
    this.#servings++;
    // This thread does not wait before who awaits this has gone on.
    this.#turns++;
    turned.then(() => {}, () => {}).then(() => this.#turns--);
    return turned;
  }

  /** Whether it is too long ago that the event loop had its turn. */
  get #isTurnDue(): boolean {
    return this.#servings >= MOST_SERVINGS ||
      performance.now() - this.#turnEnded > TURN_INTERVAL;
  }

  /** Resolves when the event loop has had a turn. */
  async turn(): Promise<void> {
    this.#turns++;
    try {
      if (performance.now() - this.#rested < REST_INTERVAL) await turn();
      else await (this.#resting ??= this.#rest());
    } finally {
      this.#turns--;
      this.#turnEnded = performance.now();
      this.#servings = 0;
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
      for (;;) {
        // Whoever begins to wait meanwhile is waited for as well.
        await settled();
        if (this.#entries.size === 0) break;
        if (this.#serveNow()) continue;
        await this.turn();
        if (++this.#turned === TURNS_TO_REST) this.#hasRested();
        if (this.#entries.size > 0) await this.#poll();
      }
    } finally {
      this.#loop = undefined;
    }
  }

  /** Writes down who is waited for. */
  #arrange(): Entry[] {
    const entries = [...this.#entries];
    this.#set.arrange([{ fd: this.#wakeFd, events: POLLIN }, ...entries]);
    return entries;
  }

  /**
   * Serves who is ready already, between two turns of the event loop that
   * follow closely enough.
   *
   * @returns Whether there was somebody.
   */
  #serveNow(): boolean {
    if (
      this.#turns > 0 || this.#lastWait >= NO_WAIT || this.#isTurnDue
    ) return false;
    const entries = this.#arrange();
    if (this.#set.here(0n) === 0) return false;
    this.#servings++;
    this.#serve(entries);
    return true;
  }

  /** Waits until somebody is ready, unless a turn is being waited for. */
  async #poll(): Promise<void> {
    const entries = this.#arrange();
    const set = this.#set;
    const alone = this.#turns === 0;
    const start = performance.now();
    const tired = start - this.#rested > REST_CHANCE;
    const here = alone && !tired && this.#calls === 0;
    let ready = 0;
    if (!alone || this.#lastWait < SHORT_WAIT) {
      ready = set.here(0n);
      if (here && this.#lastWait < NO_WAIT) {
        // By number as well: a program's tests may have stopped the clock.
        for (let looks = 0; ready === 0 && looks < MOST_LOOKS; looks++) {
          if (performance.now() - start > NO_WAIT) break;
          this.#libcpg.calls.sched_yield();
          ready = set.here(0n);
        }
      }
      if (here && ready === 0) ready = set.here(LONGEST_WAIT);
    }
    if (alone && ready === 0) {
      this.#polling = set.elsewhere(LONGEST_POLL).catch(async () => {
        // There is no thread to be had, for now.
        await new Promise((resolve) => setTimeout(resolve, LONGEST_REST));
        return set.here(0n);
      });
      await this.#polling;
      this.#polling = undefined;
      this.#hasRested();
    }
    if (alone) this.#lastWait = performance.now() - start;
    this.#serve(entries);
  }

  /** Tells those who are ready. */
  #serve(entries: readonly Entry[]): void {
    if (this.#set.found(0)) this.#set.take(this.#wakeFd);
    for (let i = 0; i < entries.length; i++) {
      const revents = this.#set.found(i + 1);
      const entry = entries[i];
      if (revents && this.#entries.delete(entry)) entry.ready(revents);
    }
  }
}
