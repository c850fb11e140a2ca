/**
 * Zero-copy buffers: memory that this process and the daemon share. This file
 * alone knows how libcpg lays it out and when it may go.
 *
 * @module
 */
import type { Connection } from "./connection.ts";
import { CpgError } from "./errors.ts";
import { CsError, type Libcpg } from "./ffi.ts";
import { NativeMemory } from "./memory.ts";
import { viewOf } from "./native/deno.ts";

/**
 * Before the bytes that libcpg hands out lie the map's own header, with the
 * map's size at 0 and the daemon's address of it at 8, and the header of the
 * message. They begin a page, so an address 56 bytes into a page, which no
 * `malloc` returns, tells shared memory from the `malloc`ed one of later
 * versions.
 */
const HEADER = 56;
const HEADER_SERVER_ADDRESS = 8;
const PAGE = 4096;

/** The largest buffer, in bytes: libcpg keeps the map's size in an int. */
export const MAX_BUFFER_SIZE = 2 ** 31 - 1 - HEADER;

const PROT_READ_WRITE = 0x1 | 0x2;
const MAP_PRIVATE_ANONYMOUS = 0x2 | 0x20;

/** The memory of one buffer, from `cpg_zcb_alloc` to `cpg_zcb_free`. */
export class Allocation {
  readonly #connection: Connection;
  readonly #address: bigint;
  readonly #shared: boolean;
  readonly #memory: ArrayBuffer;
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
    this.#address = address;
    this.size = size;
    this.#shared = address % BigInt(PAGE) === BigInt(HEADER);
    this.zeroCopy = this.#shared &&
      new DataView(viewOf(address - BigInt(HEADER), HEADER))
          .getBigUint64(HEADER_SERVER_ADDRESS, true) !== 0n;
    this.#memory = viewOf(address, size);
    this.#outstanding = outstanding;
    outstanding.add(this);
  }

  get address(): bigint {
    return this.#address;
  }

  /** The memory; of length 0 once it is released, or transferred away. */
  get memory(): ArrayBuffer {
    return this.#memory;
  }

  /** Whether it can be sent from on this connection; throws if not. */
  check(connection: Connection): void {
    if (connection !== this.#connection) {
      throw new TypeError(
        "Cannot send the buffer: another group allocated it; copy its bytes into a buffer of this group",
      );
    }
    if (this.#released) {
      throw new TypeError("Cannot send the buffer: it is freed");
    }
    if (this.#memory.detached) {
      throw new TypeError(
        "Cannot send the buffer: its ArrayBuffer has been transferred away; free the buffer and allocate another",
      );
    }
  }

  /** Keeps the memory while a send of it is pending. */
  async during(send: Promise<void>): Promise<void> {
    this.#sends++;
    try {
      await send;
    } finally {
      if (--this.#sends === 0) this.#sendsDone?.();
    }
  }

  /** Detaches every view, and frees the memory when no send needs it. */
  release(): Promise<void> {
    return this.#released ??= this.#release();
  }

  async #release(): Promise<void> {
    const transferredAway = this.#memory.detached;
    if (!transferredAway) this.#memory.transfer();
    if (this.#sends > 0) {
      await new Promise<void>((resolve) => this.#sendsDone = resolve);
    }
    // What the user has transferred away stays mapped, since a view of it may
    // be in use anywhere: only the daemon's side is freed.
    if (this.#shared) {
      await this.#connection.exclusive(() => this.#freeShared(transferredAway));
    } else if (!transferredAway) {
      const { handle, libcpg } = this.#connection;
      libcpg.calls.cpg_zcb_free!(handle, this.#address);
    }
    this.#outstanding.delete(this);
  }

  async #freeShared(keepMapped: boolean): Promise<void> {
    const { handle, libcpg } = this.#connection;
    const start = this.#address - BigInt(HEADER);
    const mapSize = BigInt(this.size + HEADER);
    const map = keepMapped ? standIn(libcpg, start, mapSize) : start;
    const result = await libcpg.async.cpg_zcb_free!(
      handle,
      map + BigInt(HEADER),
    );
    // Without the daemon libcpg leaves the memory mapped.
    if (result !== CsError.CS_OK) libcpg.calls.munmap(map, mapSize);
  }
}

/**
 * A mapping of the same size that has the header of another one:
 * `cpg_zcb_free` tells the daemon what the header says, then unmaps what it
 * was given.
 */
function standIn(libcpg: Libcpg, start: bigint, mapSize: bigint): bigint {
  const map = libcpg.calls.mmap(
    0n,
    mapSize,
    PROT_READ_WRITE,
    MAP_PRIVATE_ANONYMOUS,
    -1,
    0n,
  );
  new Uint8Array(viewOf(map, HEADER)).set(
    new Uint8Array(viewOf(start, HEADER)),
  );
  return map;
}

let create: (allocation: Allocation) => ZeroCopyBuffer;
const allocations = new WeakMap<ZeroCopyBuffer, Allocation>();
/** A view keeps its buffer from being collected. */
const owners = new WeakMap<Uint8Array, ZeroCopyBuffer>();
const forgotten = new FinalizationRegistry<Allocation>((allocation) => {
  allocation.release();
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
 * ```ts no-run
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
  readonly #bytes: Uint8Array<ArrayBuffer>;

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
    return this.#bytes;
  }

  /**
   * Frees the memory, as soon as no send of it is pending; views of it are
   * empty at once. Doing so again does nothing. (`cpg_zcb_free`)
   */
  free(): Promise<void> {
    forgotten.unregister(this);
    return this.#allocation.release();
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

/** `cpg_zcb_alloc`, which must not be called when it would fail. */
export async function allocate(
  connection: Connection,
  size: number,
  outstanding: Set<Allocation>,
): Promise<ZeroCopyBuffer> {
  if (!Number.isInteger(size) || size < 1 || size > MAX_BUFFER_SIZE) {
    throw new RangeError(
      `Cannot allocate a zero-copy buffer of ${size} bytes: the size is a whole number from 1 to ${MAX_BUFFER_SIZE}`,
    );
  }
  const { handle, libcpg } = connection;
  const doing = `Cannot allocate a zero-copy buffer of ${size} bytes`;
  const call = "cpg_zcb_alloc";
  const alloc = libcpg.async[call];
  if (!alloc) {
    throw new CpgError(doing, call, "CS_ERR_NOT_SUPPORTED", {
      remedy: `${libcpg.path} has no such function: send the bytes themselves`,
    });
  }
  let allocation: Allocation | undefined;
  await connection.call({
    doing,
    call,
    attempt: async (memory) => {
      checkRoom(libcpg, size, doing);
      const result = await alloc(handle, BigInt(size), memory.address);
      if (result === CsError.CS_OK) {
        const address = memory.view.getBigUint64(0, true);
        allocation = new Allocation(connection, address, size, outstanding);
      }
      return result;
    },
  });
  return create(allocation!);
}

/**
 * Throws if `/dev/shm` has no room: libcpg would end the process with a failed
 * assertion.
 */
function checkRoom(libcpg: Libcpg, size: number, doing: string): void {
  const memory = new NativeMemory(libcpg, 256);
  const path = new TextEncoder().encode("/dev/shm\0");
  memory.bytes.set(path);
  const status = 16;
  const result = libcpg.calls.statfs(
    memory.address,
    memory.address + BigInt(status),
  );
  // struct statfs: block size at 8, blocks at 16, those available at 32.
  const blockSize = Number(memory.view.getBigUint64(status + 8, true));
  const blocks = memory.view.getBigUint64(status + 16, true);
  const free = blockSize *
    Number(memory.view.getBigUint64(status + 32, true));
  memory.free();
  // A file system without a limit has 0 blocks.
  if (result !== 0 || (blocks > 0n && free < size + HEADER + PAGE)) {
    throw new CpgError(doing, "cpg_zcb_alloc", "CS_ERR_NO_SPACE", {
      remedy: result !== 0
        ? "there is no /dev/shm: mount a tmpfs there"
        : `/dev/shm has ${free} bytes free: free other buffers, or make it larger (mount -o remount,size=…, docker --shm-size)`,
    });
  }
}
