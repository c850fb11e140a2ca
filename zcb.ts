/**
 * Zero-copy buffers: memory that this process and the daemon share, and when
 * it may go.
 *
 * @module
 */
import type { Connection } from "./connection.ts";
import { CpgError } from "./errors.ts";
import { CsError } from "./ffi.ts";
import { inTurn } from "./in_turn.ts";
import type { NativeMemory } from "./memory.ts";
import { detach, viewOf } from "./native/deno.ts";
import type { SendBufferOptions } from "./options.ts";
import {
  checkRoom,
  emptyContent,
  freeDaemonSide,
  HEADER,
  isMap,
  LARGEST_MAP,
  mapSizeOf,
  removeLeftover,
  serverAddress,
  unmapContent,
} from "./zcb_memory.ts";
import { countRetired, retire } from "./zcb_retired.ts";

/** The largest buffer, in bytes. */
export const MAX_BUFFER_SIZE = LARGEST_MAP - HEADER;

/**
 * The most buffers that a thread may hold. Each is a map in the daemon, too,
 * which aborts when the kernel gives it no more (65,530 by default).
 */
export const MAX_BUFFERS = 16_384;

/** Buffers that this thread holds. */
let held = 0;

/** The memory of one buffer, from `cpg_zcb_alloc` to `cpg_zcb_free`. */
export class Allocation {
  readonly #connection: Connection;
  readonly address: bigint;
  /** Whether it is a map of its own, rather than from `malloc`. */
  readonly #map: boolean;
  #memory: ArrayBuffer;
  readonly #outstanding: Set<Allocation>;
  readonly size: number;
  /** Whether the daemon has mapped the memory, too. */
  readonly zeroCopy: boolean;
  #released: Promise<void> | undefined;
  #sends = 0;
  #sendsDone: (() => void) | undefined;

  constructor(
    connection: Connection,
    address: bigint,
    size: number,
    outstanding: Set<Allocation>,
  ) {
    this.#connection = connection;
    this.address = address;
    this.size = size;
    this.#map = isMap(address);
    this.zeroCopy = this.#map && serverAddress(address) !== 0n;
    this.#memory = viewOf(address, size);
    this.#outstanding = outstanding;
    outstanding.add(this);
    held++;
  }

  /** The memory; of length 0 once it is released, or transferred away. */
  get memory(): ArrayBuffer {
    return this.#memory;
  }

  /** Whether it can be sent from on this connection; throws if not. */
  check(connection: Connection): void {
    if (this.#released) {
      throw new TypeError("Cannot send the buffer: it is freed");
    }
    if (connection !== this.#connection) {
      throw new TypeError(
        "Cannot send the buffer: another group allocated it; copy its bytes into a buffer of this group",
      );
    }
    if (this.#memory.byteLength === 0) {
      throw new TypeError(
        "Cannot send the buffer: its ArrayBuffer has been transferred away; free the buffer and allocate another",
      );
    }
  }

  /** Whether it is freed, or about to be. */
  get released(): boolean {
    return this.#released !== undefined;
  }

  /** A send needs the memory from now on … */
  hold(): void {
    this.#sends++;
  }

  /** … and now no longer. */
  letGo(): void {
    if (--this.#sends === 0) this.#sendsDone?.();
  }

  /**
   * Detaches every view, and frees the memory when no send needs it.
   *
   * @param used Whether something may still be reading the content, which
   * nobody has asked to free.
   */
  release(used: boolean): Promise<void> {
    return this.#released ??= this.#release(used);
  }

  async #release(used: boolean): Promise<void> {
    const memory = this.#memory;
    // What the user has transferred away stays where it is, since a view of
    // it may be in use anywhere; only the daemon's side is freed.
    const stays = memory.byteLength === 0;
    if (!stays) detach(memory);
    this.#memory = nothing.buffer;
    if (this.#sends > 0) {
      await new Promise<void>((resolve) => this.#sendsDone = resolve);
    }
    const { size, address } = this;
    const { libcpg } = this.#connection;
    if (this.#map) await freeDaemonSide(this.#connection, address, size);
    if (!stays) {
      const emptied = this.#map && !used && emptyContent(libcpg, address, size);
      retire(memory, emptied ? 0 : size, this.#freeing());
    }
    this.#outstanding.delete(this);
    held--;
  }

  /** What frees it, and does not keep it from being collected. */
  #freeing(): () => void {
    const { libcpg } = this.#connection;
    const { address, size } = this;
    return this.#map
      ? () => unmapContent(libcpg, address, size)
      : () => libcpg.calls.free(address);
  }
}

const nothing = new Uint8Array();

let create: (allocation: Allocation) => ZeroCopyBuffer;
const allocations = new WeakMap<ZeroCopyBuffer, Allocation>();
/** A view keeps its buffer from being collected. */
const owners = new WeakMap<Uint8Array, ZeroCopyBuffer>();
const forgotten = new FinalizationRegistry<Allocation>((allocation) => {
  allocation.release(false);
});

/**
 * Memory shared with the daemon, whose content `cpg_zcb_mcast_joined` sends
 * without copying it into the daemon first.
 *
 * `Group.alloc` makes one, `Group.send` sends it, as often as you like. Free it
 * with `using`, or {@linkcode free}; leaving or closing its group frees it, and
 * so does the garbage collector once neither the buffer nor
 * {@linkcode bytes} is referred to. Freeing makes every view of it empty
 * (length 0): keep copies (`slice`), not views.
 *
 * @example Fill it and send it twice
 * ```ts
 * import { join } from "@corosync/cpg";
 *
 * await using group = await join("orders");
 * using buffer = await group.alloc(65_536);
 * const { written } = new TextEncoder().encodeInto("one order", buffer.bytes);
 * await group.send(buffer, { length: written });
 * await group.send(buffer, { length: written });
 * ```
 */
export class ZeroCopyBuffer {
  static {
    create = (allocation) => new ZeroCopyBuffer(allocation);
  }

  readonly #allocation: Allocation;
  #bytes: Uint8Array<ArrayBuffer>;

  private constructor(allocation: Allocation) {
    this.#allocation = allocation;
    this.#bytes = new Uint8Array(allocation.memory);
    allocations.set(this, allocation);
    owners.set(this.#bytes, this);
    forgotten.register(this, allocation, this);
  }

  /** Its size, in bytes. */
  get size(): number {
    return this.#allocation.size;
  }

  /**
   * Whether sending it spares a copy. False where libcpg or the daemon is of
   * the later generation that has no shared memory any more; everything works
   * the same then.
   */
  get zeroCopy(): boolean {
    return this.#allocation.zeroCopy;
  }

  /** The memory itself; of length 0 once the buffer is freed. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#allocation.released ? nothing : this.#bytes;
  }

  /**
   * Frees the memory, as soon as no send of it is pending; views of it are
   * empty at once. Doing so again does nothing. (`cpg_zcb_free`)
   */
  free(): Promise<void> {
    forgotten.unregister(this);
    this.#bytes = nothing;
    return this.#allocation.release(false);
  }

  /** Frees the memory, without waiting for it. */
  [Symbol.dispose](): void {
    this.free();
  }

  /** Frees the memory. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.free();
  }
}

/** The memory behind a buffer. */
export function allocationOf(buffer: ZeroCopyBuffer): Allocation {
  return allocations.get(buffer)!;
}

/** Throws if no buffer can have that size. */
export function checkSize(size: number): void {
  if (Number.isInteger(size) && size >= 1 && size <= MAX_BUFFER_SIZE) return;
  throw new RangeError(
    `Cannot allocate a zero-copy buffer of ${size} bytes: the size is a whole number from 1 to ${MAX_BUFFER_SIZE}`,
  );
}

/** Throws if a part is asked for of what cannot be sent in part. */
export function checkPart(
  data: Uint8Array | readonly Uint8Array[] | ZeroCopyBuffer,
  { offset, length }: SendBufferOptions,
): void {
  if (offset === undefined && length === undefined) return;
  if (data instanceof ZeroCopyBuffer) return;
  throw new TypeError(
    "Cannot send a part: offset and length are for buffers of alloc; send data.subarray(…)",
  );
}

/** `cpg_zcb_alloc`, where it can succeed. */
export async function allocate(
  connection: Connection,
  size: number,
  outstanding: Set<Allocation>,
  signal?: AbortSignal,
): Promise<ZeroCopyBuffer> {
  const { handle, libcpg } = connection;
  const doing = `Cannot allocate a zero-copy buffer of ${size} bytes`;
  const call = "cpg_zcb_alloc";
  const alloc = libcpg.async[call];
  if (!alloc) {
    throw new CpgError(doing, call, "CS_ERR_NOT_SUPPORTED", {
      remedy: `${libcpg.path} has no such function: send the bytes themselves`,
    });
  }
  const attempt = (memory: NativeMemory) =>
    inTurn(libcpg, async () => {
      checkHeld(doing);
      checkRoom(libcpg, size, doing);
      const whole = BigInt(mapSizeOf(size) - HEADER);
      const result = await alloc(handle, whole, memory.address);
      if (result === CsError.CS_OK) {
        const address = memory.view.getBigUint64(0, true);
        allocation = new Allocation(connection, address, size, outstanding);
      } else {
        removeLeftover(libcpg, size);
      }
      return result;
    });
  let allocation: Allocation | undefined;
  while (!allocation) {
    const progress = watchProgress();
    try {
      await connection.call({ doing, call, attempt }, signal);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      await collectForgotten(connection);
      if (!progress()) throw error;
    }
  }
  return create(allocation);
}

function checkHeld(doing: string): void {
  if (held < MAX_BUFFERS) return;
  throw new CpgError(doing, "cpg_zcb_alloc", "CS_ERR_NO_RESOURCES", {
    remedy: `${held} buffers are held: free some, or reuse them`,
  });
}

/** Whether freeing buffers can help. */
function isRefusal(error: unknown): boolean {
  return error instanceof CpgError && [
    "CS_ERR_NO_SPACE",
    "CS_ERR_NO_RESOURCES",
    "CS_ERR_NO_MEMORY",
  ].includes(error.code);
}

/**
 * Has the garbage collector free forgotten buffers. It does not know how much
 * they hold, so it is shown something large: memory that is never touched.
 * Finding and freeing take some turns of the event loop.
 */
async function collectForgotten(connection: Connection): Promise<void> {
  const progress = watchProgress();
  for (let turn = 0; turn < 50 && held + countRetired() > 0; turn++) {
    if (progress()) break;
    if (turn % 10 === 0) nudgeCollector();
    await new Promise((resolve) => setTimeout(resolve));
    // What was found is freed by requests that are now in the queue.
    await connection.exclusive(() => Promise.resolve());
  }
}

/** Says whether any memory has gone since. */
function watchProgress(): () => boolean {
  const before = { held, retired: countRetired() };
  return () => held < before.held || countRetired() < before.retired;
}

function nudgeCollector(): void {
  try {
    new ArrayBuffer(2 ** 28);
  } catch {
    // A collector that has no room for it has been at work.
  }
}
