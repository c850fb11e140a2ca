/**
 * Memory from C's `malloc`, for what another thread reads or writes. Memory of
 * JavaScript is not safe for that: it goes with its Worker, while a call of
 * that Worker may still be in flight.
 *
 * @module
 */
import { CpgError } from "./errors.ts";
import type { Libcpg } from "./libcpg.ts";
import { detach, viewOf } from "./native/deno.ts";

/** A block of memory that C owns. */
export class NativeMemory {
  readonly address: bigint;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView;
  readonly #libcpg: Libcpg;

  /** @param size In bytes, at least 1. */
  constructor(libcpg: Libcpg, size: number) {
    this.#libcpg = libcpg;
    this.address = libcpg.calls.malloc(BigInt(size));
    if (this.address === 0n) {
      throw new CpgError(
        `Cannot allocate ${size} bytes`,
        "malloc",
        "CS_ERR_NO_MEMORY",
      );
    }
    this.bytes = new Uint8Array(viewOf(this.address, size));
    this.view = new DataView(this.bytes.buffer);
  }

  /** Gives the memory back, once no call uses it any more. */
  free(): void {
    // Detached first, so that a forgotten view can never reach freed memory.
    detach(this.bytes.buffer);
    this.#libcpg.calls.free(this.address);
  }
}
