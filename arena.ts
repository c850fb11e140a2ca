/**
 * The memory in which the recorder writes down events, behind the stack of
 * `cpg_dispatch`, where large messages stay.
 *
 * @module
 */
import { addressOf } from "./native/deno.ts";

/**
 * Bytes of the stack, as the recorder has it: twice what corosync 3.1's
 * `cpg_dispatch` takes.
 */
export const STACK_SIZE = 2 ** 21;

/**
 * Where events are written from, for an arena that begins at a multiple of 16:
 * their payloads, 24 bytes on, are then at multiples, from where copying is many
 * times faster on some processors.
 */
export const RECORDS: number = STACK_SIZE + 8;

/** Memory for some events, one behind the other. */
export interface Arena {
  /** Its address. */
  readonly address: bigint;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The same as words of 4 bytes. */
  readonly words: Uint32Array<ArrayBuffer>;
  /** Some bytes of it, for the reader of a group. */
  take(start: number, size: number): Uint8Array<ArrayBuffer>;
}

/** Memory from which readers get copies. */
export class OwnArena implements Arena {
  readonly address: bigint;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly words: Uint32Array<ArrayBuffer>;

  /** @param bytes At an address that is a multiple of 4. */
  constructor(bytes: Uint8Array<ArrayBuffer>) {
    const { buffer, byteOffset, byteLength } = bytes;
    this.address = addressOf(bytes);
    this.bytes = bytes;
    this.words = new Uint32Array(
      buffer,
      byteOffset,
      Math.floor(byteLength / 4),
    );
  }

  /** Makes an arena with room for events of some bytes. */
  static create(room: number): OwnArena {
    const size = RECORDS + room;
    const memory = new Uint8Array(size + 16);
    const shift = 16 - Number(addressOf(memory) % 16n);
    return new OwnArena(memory.subarray(shift, shift + size));
  }

  take(start: number, size: number): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(start, start + size);
  }
}

/** WebAssembly's memory: not every runtime's types have it. */
interface PagedMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

interface PagedMemoryConstructor {
  new (descriptor: { initial: number; maximum: number }): PagedMemory;
}

/**
 * Memory that readers look into. It is WebAssembly's, whose views nobody can
 * transfer away, and which all lose it at once when it grows, if only by
 * nothing.
 */
export class LendingArena implements Arena {
  readonly address: bigint;
  bytes!: Uint8Array<ArrayBuffer>;
  words!: Uint32Array<ArrayBuffer>;
  readonly #memory: PagedMemory;

  private constructor(memory: PagedMemory) {
    this.#memory = memory;
    this.renew();
    this.address = addressOf(this.bytes);
  }

  /**
   * Makes an arena with room for events of some bytes; nothing where there is
   * no such memory.
   */
  static create(room: number): LendingArena | undefined {
    const pages = Math.ceil((RECORDS + room) / 65_536);
    const { WebAssembly } = globalThis as unknown as {
      WebAssembly: { Memory: PagedMemoryConstructor };
    };
    try {
      const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
      return new LendingArena(memory);
    } catch {
      return undefined;
    }
  }

  /** Empties all that was taken, so that it can be written again. */
  renew(): void {
    this.#memory.grow(0);
    const { buffer } = this.#memory;
    this.bytes = new Uint8Array(buffer);
    this.words = new Uint32Array(buffer);
  }

  take(start: number, size: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.bytes.buffer, start, size);
  }
}
