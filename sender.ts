/**
 * Sending several messages with one foreign call, which makes one call of
 * `cpg_mcast_joined` after the other.
 *
 * @module
 */
import { forThisMachine, load } from "./executable.ts";
import { CpgGuarantee, CsError } from "./ffi.ts";
import type { Libcpg } from "./libcpg.ts";
import { addressOf } from "./native/deno.ts";
import { senders } from "./native/sender/code.ts";
import { SIZEOF_IOVEC } from "./structs.ts";

/**
 * The largest message that is copied once more instead of asking for its
 * address: that costs as much, and far more for what V8 on Node has in its heap,
 * the smallest.
 */
export const SMALL = 4096;

/** The runtime's own, and not what an array or its class may have in its place. */
const { get } = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  "length",
)!;

/** How long an array really is: C reads as many bytes as it is told. */
export function lengthOf(bytes: Uint8Array): number {
  return get!.call(bytes);
}

/** The most messages of one call. */
const MOST = 64;

/** Room for what small ones consist of, in bytes. */
const ROOM = 2 ** 16;

/** Field numbers of the machine code's block, in words of 8 bytes. */
const Block = { MCAST: 0, NEXT: 1, LEFT: 2, RESULT: 3 };

/** Where things are behind the fields, in bytes. */
const IOVECS = 64;
const CONTENT = IOVECS + MOST * SIZEOF_IOVEC;

/** What was done with some messages. */
export interface Sent {
  /** How many were taken. */
  readonly count: number;
  /** What the last call of `cpg_mcast_joined` returned. */
  readonly result: number;
}

/** The sender of a thread: one serves all groups. */
export class Sender {
  static readonly #senders = new WeakMap<Libcpg, Sender>();
  readonly #libcpg: Libcpg;
  /** The block, the iovecs behind it, and what they point at. */
  readonly #bytes = new Uint8Array(CONTENT + ROOM);
  readonly #words = new BigUint64Array(this.#bytes.buffer);
  /** The same by halves, whose reading and writing makes no objects. */
  readonly #halves = new Uint32Array(this.#bytes.buffer);
  readonly #address = addressOf(this.#bytes);
  readonly #code: bigint | undefined;

  /** @param code What to send with; one call for each message without it. */
  constructor(libcpg: Libcpg, code?: bigint) {
    this.#libcpg = libcpg;
    this.#code = code;
    this.#words[Block.MCAST] = libcpg.address("cpg_mcast_joined");
  }

  /** The one sender of a library. */
  static of(libcpg: Libcpg): Sender {
    let sender = this.#senders.get(libcpg);
    if (!sender) {
      const bytes = forThisMachine(senders);
      sender = new Sender(libcpg, bytes && load(libcpg, bytes));
      this.#senders.set(libcpg, sender);
    }
    return sender;
  }

  /**
   * Sends messages of up to the atomic size until corosync does not take one,
   * or there is no room for more here.
   *
   * @param from Which is the first.
   * @param most How many at most, at least 1.
   */
  send(
    handle: bigint,
    messages: readonly Uint8Array[],
    from: number,
    most: number,
  ): Sent {
    const count = this.#prepare(messages, from, Math.min(most, MOST));
    if (this.#code === undefined) return this.#callEach(handle, count);
    const halves = this.#halves;
    this.#words[Block.NEXT] = this.#address + BigInt(IOVECS);
    halves[2 * Block.LEFT] = count;
    // It calls its last argument, once, with its first two.
    this.#libcpg.calls.bsearch(handle, this.#address, 1n, 1n, this.#code);
    return {
      count: count - halves[2 * Block.LEFT],
      result: halves[2 * Block.RESULT],
    };
  }

  /** Writes the iovecs of some messages; says of how many. */
  #prepare(
    messages: readonly Uint8Array[],
    from: number,
    most: number,
  ): number {
    const halves = this.#halves;
    const address = Number(this.#address);
    const last = Math.min(messages.length, from + most);
    let at = CONTENT;
    let i = from;
    for (let field = IOVECS / 4; i < last; i++, field += SIZEOF_IOVEC / 4) {
      const message = messages[i];
      const size = lengthOf(message);
      if (size > SMALL) this.#words[field / 2] = addressOf(message);
      else {
        if (at + size > CONTENT + ROOM) break;
        this.#bytes.set(message, at);
        halves[field] = address + at;
        halves[field + 1] = (address + at) / 2 ** 32;
        at += size;
      }
      halves[field + 2] = size;
    }
    return i - from;
  }

  #callEach(handle: bigint, most: number): Sent {
    const { cpg_mcast_joined } = this.#libcpg.calls;
    let result: number = CsError.CS_OK;
    let count = 0;
    while (count < most) {
      const iovec = this.#address + BigInt(IOVECS + count * SIZEOF_IOVEC);
      result = cpg_mcast_joined(handle, CpgGuarantee.AGREED, iovec, 1);
      if (result !== CsError.CS_OK) break;
      count++;
    }
    return { count, result };
  }
}
