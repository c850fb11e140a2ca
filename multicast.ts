/**
 * The ways of a message into libcpg: in one piece, alone or with several others,
 * in fragments, and from a zero-copy buffer.
 *
 * @module
 */
import type { Batch, Connection } from "./connection.ts";
import { type CpgCalls, CpgGuarantee, CsError } from "./ffi.ts";
import { NativeMemory } from "./memory.ts";
import { addressOf } from "./native/deno.ts";
import type { SendBufferOptions } from "./options.ts";
import type { Send } from "./outbox.ts";
import { lengthOf, Sender, type Sent, SMALL } from "./sender.ts";
import { SIZEOF_IOVEC, writeIovec } from "./structs.ts";
import type { Allocation } from "./zcb.ts";

/** `cpg_mcast_joined` takes 63 parts, and does not check it. */
const MAX_PARTS = 63;

/** The largest message, in bytes: its length is an int to corosync. */
export const MAX_MESSAGE_SIZE = 2 ** 31 - 1;

/**
 * The largest message from a zero-copy buffer, in bytes, that corosync may
 * leave out of account when it lets others send.
 */
const UNNOTICED = 16_384;

/** Where its content is in the memory of a request: behind the iovecs. */
const CONTENT = MAX_PARTS * SIZEOF_IOVEC;

const CONTENT_OFFSET = BigInt(CONTENT);

const call = "cpg_mcast_joined";

const nothing = new Uint8Array();

/** A message of one part or several. */
export function message(
  connection: Connection,
  doing: string,
  data: Uint8Array | readonly Uint8Array[],
): Send {
  if (data instanceof Uint8Array) {
    const size = lengthOf(data);
    if (size <= SMALL) return new OnePiece(connection, doing, [data], size);
  }
  // A copy of the list: what is added to it later is not checked.
  const parts: readonly Uint8Array[] = Array.isArray(data)
    ? [...data]
    : [data as Uint8Array];
  if (!parts.every((part) => part instanceof Uint8Array)) {
    throw new TypeError(
      `${doing}: a message is a Uint8Array, an array of them, or a buffer from alloc`,
    );
  }
  const size = sizeOf(parts);
  if (size > MAX_MESSAGE_SIZE) {
    throw new RangeError(
      `${doing}: the message has ${size} bytes, and the largest ${MAX_MESSAGE_SIZE}`,
    );
  }
  if (size > connection.maxAtomicSize) {
    return fragments(connection, doing, parts, size);
  }
  return parts.length <= MAX_PARTS
    ? new OnePiece(connection, doing, parts, size)
    : new OnePiece(connection, doing, [joined(parts, size)], size);
}

/** Copied by libcpg into its ring before it returns. */
class OnePiece implements Send {
  readonly call = call;
  readonly immediate = true;
  readonly doing: string;
  readonly #connection: Connection;
  readonly #parts: readonly Uint8Array[];
  readonly #size: number;

  constructor(
    connection: Connection,
    doing: string,
    parts: readonly Uint8Array[],
    size: number,
  ) {
    this.#connection = connection;
    this.doing = doing;
    this.#parts = parts;
    this.#size = size;
  }

  attempt(memory: NativeMemory): number {
    const [parts, size] = [this.#parts, this.#size];
    checkLength(this.doing, parts, size);
    const { libcpg, handle } = this.#connection;
    const { address, view } = memory;
    if (size <= SMALL) {
      writeParts(memory.bytes, CONTENT, parts);
      return fromMemory(
        libcpg.calls[call],
        handle,
        memory,
        address + CONTENT_OFFSET,
        size,
      );
    }
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i];
      writeIovec(view, i * SIZEOF_IOVEC, addressOf(part), lengthOf(part));
    }
    const { AGREED } = CpgGuarantee;
    return libcpg.calls[call](handle, AGREED, address, parts.length);
  }
}

/** Several messages, each in one piece. */
export class Several implements Batch {
  readonly call = call;
  readonly doing: string;
  readonly count: number;
  readonly #connection: Connection;
  readonly #messages: readonly Uint8Array[];

  constructor(
    connection: Connection,
    doing: string,
    messages: readonly Uint8Array[],
  ) {
    if (!Array.isArray(messages)) throw unsendable(doing);
    const { maxAtomicSize } = connection;
    // A copy: reading the caller's array may run the caller's code.
    const all: Uint8Array[] = [...messages];
    // One pass and no function for each: there are many, and small ones.
    for (let i = 0; i < all.length; i++) {
      const message = all[i];
      if (!(message instanceof Uint8Array)) throw unsendable(doing);
      const size = lengthOf(message);
      if (size > maxAtomicSize) throw tooLarge(doing, maxAtomicSize);
      if (size === 0 && isGone(message)) {
        throw new TypeError(
          `${doing}: the bytes of a message were transferred away`,
        );
      }
    }
    this.#connection = connection;
    this.doing = doing;
    this.#messages = all;
    this.count = all.length;
  }

  attempt(from: number, most: number): Sent {
    const { libcpg, handle } = this.#connection;
    return Sender.of(libcpg).send(handle, this.#messages, from, most);
  }
}

/** The error of what is not a list of messages. */
function unsendable(doing: string): TypeError {
  return new TypeError(`${doing}: messages are an array of Uint8Arrays`);
}

/** Whether an empty array's bytes are not there any more. */
function isGone(bytes: Uint8Array): boolean {
  try {
    nothing.set(bytes);
    return false;
  } catch {
    return true;
  }
}

/** The error of what would take more than one piece. */
export function tooLarge(doing: string, maxAtomicSize: number): RangeError {
  return new RangeError(
    `${doing}: more than ${maxAtomicSize} bytes cannot be sent at once; use send`,
  );
}

/** Larger than the atomic size: a request and a reply for each fragment. */
function fragments(
  connection: Connection,
  doing: string,
  parts: readonly Uint8Array[],
  size: number,
): Send {
  return {
    doing,
    call,
    immediate: false,
    async attempt(memory) {
      const content = new NativeMemory(connection.libcpg, size);
      try {
        checkLength(doing, parts, size);
        content.bytes.set(joined(parts, size));
        return await inFragments(connection, memory, content.address, size);
      } finally {
        content.free();
      }
    },
  };
}

/** `cpg_mcast_joined` of more than the atomic size. */
async function inFragments(
  connection: Connection,
  memory: NativeMemory,
  address: bigint,
  length: number,
): Promise<number> {
  const { libcpg, handle } = connection;
  const mcast = libcpg.async[call];
  const result = await fromMemory(mcast, handle, memory, address, length);
  // libcpg says that all is well when the daemon dies amid the fragments.
  return result === CsError.CS_OK && connection.broken
    ? CsError.CS_ERR_LIBRARY
    : result;
}

/** Throws if the bytes are not there any more as they were. */
function checkLength(
  doing: string,
  parts: readonly Uint8Array[],
  size: number,
): void {
  if (sizeOf(parts) !== size) {
    throw new TypeError(
      `${doing}: the bytes were transferred away or resized before they were sent`,
    );
  }
}

function sizeOf(parts: readonly Uint8Array[]): number {
  let size = 0;
  for (const part of parts) size += lengthOf(part);
  return size;
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  if (parts.length === 1) return parts[0];
  const whole = new Uint8Array(size);
  writeParts(whole, 0, parts);
  return whole;
}

function writeParts(
  bytes: Uint8Array,
  start: number,
  parts: readonly Uint8Array[],
): void {
  for (const part of parts) {
    bytes.set(part, start);
    start += lengthOf(part);
  }
}

/** A zero-copy buffer, or a part of it; its memory stays until that is done. */
export function buffer(
  connection: Connection,
  doing: string,
  allocation: Allocation,
  options: SendBufferOptions,
): Send {
  allocation.check(connection);
  const { size } = allocation;
  const { offset = 0, length = size - offset } = options;
  if (
    !Number.isInteger(offset) || !Number.isInteger(length) ||
    offset < 0 || length < 0 || offset + length > size
  ) {
    throw new RangeError(
      `${doing}: ${length} bytes from ${offset} on are not within the buffer of ${size} bytes`,
    );
  }
  const { libcpg, handle, maxAtomicSize } = connection;
  const address = allocation.address + BigInt(offset);
  allocation.hold();
  const done = () => allocation.letGo();
  // libcpg finds the daemon's address of the memory right before the message.
  // From 1,048,393 bytes on it takes a message that nobody gets, and that
  // leaves every connection of the group deaf; up to the atomic size all is
  // well.
  if (allocation.zeroCopy && offset === 0 && length <= maxAtomicSize) {
    const call = "cpg_zcb_mcast_joined";
    return {
      doing,
      call,
      immediate: false,
      done,
      async attempt(memory) {
        const result = await libcpg.async[call]!(
          handle,
          CpgGuarantee.AGREED,
          address,
          BigInt(length),
        );
        // corosync counts such a message only at the next request; an ordinary
        // one before that, for which there is no room, is lost.
        if (result === CsError.CS_OK && length > UNNOTICED) {
          await libcpg.async.cpg_local_get(handle, memory.address);
        }
        return result;
      },
    };
  }
  const immediate = length <= maxAtomicSize;
  return {
    doing,
    call,
    immediate,
    done,
    attempt: (memory) =>
      immediate
        ? fromMemory(libcpg.calls[call], handle, memory, address, length)
        : inFragments(connection, memory, address, length),
  };
}

/** `cpg_mcast_joined` of memory that stays where it is. */
function fromMemory<T>(
  mcast: (...args: Parameters<CpgCalls[typeof call]>) => T,
  handle: bigint,
  memory: NativeMemory,
  address: bigint,
  length: number,
): T {
  writeIovec(memory.view, 0, address, length);
  return mcast(handle, CpgGuarantee.AGREED, memory.address, 1);
}
