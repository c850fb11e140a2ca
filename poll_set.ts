/**
 * Descriptors as `poll(2)` has them.
 *
 * @module
 */
import { SIZEOF_POLLFD, SIZEOF_TIMESPEC } from "./libc.ts";
import type { Libcpg } from "./libcpg.ts";
import { NativeMemory } from "./memory.ts";

/** One descriptor, and for what it is polled. */
export interface Polled {
  readonly fd: number;
  readonly events: number;
}

/** Where a descriptor is, behind the time that a poll may take. */
function offset(index: number): number {
  return SIZEOF_TIMESPEC + index * SIZEOF_POLLFD;
}

/** Some descriptors, polled again and again. */
export class PollSet {
  readonly #libcpg: Libcpg;
  #memory: NativeMemory | undefined;
  /** Where the descriptors are in it, and how many. */
  #fds = 0n;
  #count = 0n;

  constructor(libcpg: Libcpg) {
    this.#libcpg = libcpg;
  }

  /** Polls these from now on, in this order. */
  arrange(all: readonly Polled[]): void {
    const size = offset(all.length);
    if (!this.#memory || this.#memory.bytes.length < size) {
      this.free();
      this.#memory = new NativeMemory(this.#libcpg, 2 * size);
      this.#fds = this.#memory.address + BigInt(SIZEOF_TIMESPEC);
    }
    const { view } = this.#memory;
    for (let i = 0; i < all.length; i++) {
      view.setInt32(offset(i), all[i].fd, true);
      view.setInt32(offset(i) + 4, all[i].events, true);
    }
    this.#count = BigInt(all.length);
  }

  /**
   * Waits on this thread for so long at most; says how many are ready, and 0
   * for an error, for which they can be polled again.
   */
  here(nanoseconds: bigint): number {
    const { view, address } = this.#memory!;
    view.setBigUint64(0, 0n, true);
    view.setBigUint64(8, nanoseconds, true);
    const { ppoll } = this.#libcpg.calls;
    return Math.max(0, ppoll(this.#fds, this.#count, address, 0n));
  }

  /** The same on another thread; rejects where there is none. */
  elsewhere(milliseconds: number): Promise<number> {
    return this.#libcpg.async.poll(this.#fds, this.#count, milliseconds);
  }

  /** What the last poll has found of one of them, as `revents`. */
  found(index: number): number {
    return this.#memory!.view.getInt16(offset(index) + 6, true);
  }

  /** Takes what an eventfd holds, between two polls. */
  take(fd: number): void {
    // It goes where the time is, which is written for each poll.
    this.#libcpg.calls.read(fd, this.#memory!.address, 8n);
  }

  /** Gives the memory back. */
  free(): void {
    this.#memory?.free();
    this.#memory = undefined;
  }
}
