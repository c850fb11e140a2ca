/**
 * Waiting for descriptors: one `poll` on one thread for all groups, however
 * many there are, and none while nothing is waited for.
 *
 * @module
 */
import { SIZEOF_POLLFD } from "./libc.ts";
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

/** One descriptor that is being waited for. */
export interface Watch {
  /** Stops waiting; resolves when no `poll` looks at the descriptor. */
  cancel(): Promise<void>;
}

interface Entry {
  readonly fd: number;
  readonly events: number;
  readonly ready: (revents: number) => void;
}

/** Waits for the descriptors of all groups that use one libcpg. */
export class Poller {
  static readonly #pollers = new WeakMap<Libcpg, Poller>();
  readonly #libcpg: Libcpg;
  readonly #entries = new Set<Entry>();
  /** What to wake a poll in flight with; present while the loop runs. */
  #wakeFd = -1;
  #loop: Promise<void> | undefined;
  /** The poll in flight. */
  #polling: Promise<number> | undefined;

  private constructor(libcpg: Libcpg) {
    this.#libcpg = libcpg;
  }

  /** The one poller of a library. */
  static of(libcpg: Libcpg): Poller {
    let poller = this.#pollers.get(libcpg);
    if (!poller) this.#pollers.set(libcpg, poller = new Poller(libcpg));
    return poller;
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
    return { cancel: () => this.#cancel(entry) };
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
    const { calls } = this.#libcpg;
    this.#wakeFd = calls.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    try {
      while (this.#entries.size > 0) await this.#pollOnce();
    } finally {
      calls.close(this.#wakeFd);
      this.#loop = undefined;
    }
  }

  async #pollOnce(): Promise<void> {
    const entries = [...this.#entries];
    const fds = [
      { fd: this.#wakeFd, events: POLLIN },
      ...entries,
    ];
    const memory = new NativeMemory(this.#libcpg, fds.length * SIZEOF_POLLFD);
    fds.forEach(({ fd, events }, i) => {
      memory.view.setInt32(i * SIZEOF_POLLFD, fd, true);
      memory.view.setInt16(i * SIZEOF_POLLFD + 4, events, true);
      memory.view.setInt16(i * SIZEOF_POLLFD + 6, 0, true);
    });
    this.#polling = this.#libcpg.async.poll(
      memory.address,
      BigInt(fds.length),
      LONGEST_POLL,
    );
    await this.#polling;
    this.#polling = undefined;
    const revents = fds.map((_, i) =>
      memory.view.getInt16(i * SIZEOF_POLLFD + 6, true)
    );
    if (revents[0]) this.#libcpg.calls.read(this.#wakeFd, memory.address, 8n);
    memory.free();
    entries.forEach((entry, i) => {
      if (revents[i + 1] && this.#entries.delete(entry)) {
        entry.ready(revents[i + 1]);
      }
    });
  }
}
