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
import { SIZEOF_IOVEC, writeIovec } from "./structs.ts";

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

/** Where the machine code's block has its fields, in bytes. */
const Block = { MCAST: 0, NEXT: 8, LEFT: 16, RESULT: 24 };

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
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #address = addressOf(this.#bytes);
  readonly #code: bigint | undefined;

  /** @param code What to send with; one call for each message without it. */
  constructor(libcpg: Libcpg, code?: bigint) {
    this.#libcpg = libcpg;
    this.#code = code;
    const mcast = libcpg.address("cpg_mcast_joined");
    this.#view.setBigUint64(Block.MCAST, mcast, true);
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
    const view = this.#view;
    view.setBigUint64(Block.NEXT, this.#address + BigInt(IOVECS), true);
    // The upper halves are always 0.
    view.setUint32(Block.LEFT, count, true);
    // It calls its last argument, once, with its first two.
    this.#libcpg.calls.bsearch(handle, this.#address, 1n, 1n, this.#code);
    return {
      count: count - view.getUint32(Block.LEFT, true),
      result: view.getUint32(Block.RESULT, true),
    };
  }

  /** Writes the iovecs of some messages; says of how many. */
  #prepare(
    messages: readonly Uint8Array[],
    from: number,
    most: number,
  ): number {
    const start = Number(this.#address);
    const last = Math.min(messages.length, from + most);
    let at = CONTENT;
    let i = from;
    for (let iovec = IOVECS; i < last; i++, iovec += SIZEOF_IOVEC) {
      const message = messages[i];
      const size = lengthOf(message);
      let address: bigint | number;
      if (size > SMALL) address = addressOf(message);
      else {
        if (at + size > CONTENT + ROOM) break;
        this.#bytes.set(message, at);
        address = start + at;
        at += size;
      }
      writeIovec(this.#view, iovec, address, size);
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
