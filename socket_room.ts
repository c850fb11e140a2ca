/**
 * How much of what libqb writes a socket has room for. libqb, under libcpg,
 * writes a byte for each message sent, and spins while the socket is full, as
 * it is when the daemon is stopped.
 *
 * @module
 */
import type { Libcpg } from "./libcpg.ts";
import { NativeMemory } from "./memory.ts";

/** Linux's numbers for `socketpair` and `getsockopt`. */
const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_MEMINFO = 55;

/** Size of what `SO_MEMINFO` gives, and where the bytes in the buffer are. */
const SIZEOF_MEMINFO = 36;
const WMEM_ALLOC = 8;

/**
 * The share of the buffer that sends may fill: the rest is for requests, and
 * for sends that had to wait for one, which write a byte as well and are not
 * counted.
 */
const SHARE = 0.9;

/**
 * Less room than for so many sends is as good as none: to look, and to have
 * senders go on, would cost more than it brings.
 */
const LEAST = 32;

/** Sends after a look where the system does not say what there is room for. */
const FEW = 64;

/** More at a time would keep others from their turn. */
const MOST = 256;

/** What one byte takes of a socket's buffer, in bytes; 0 if it is not said. */
const byteSizes = new WeakMap<Libcpg, number>();

/** The room in a connection's socket. */
export class SocketRoom {
  readonly #libcpg: Libcpg;
  readonly #fd: number;
  readonly #isWritable: () => boolean;
  readonly #memory: NativeMemory;
  readonly #byteSize: number;
  /** How many sends fill it; 0 if that is not known. */
  readonly #capacity: number;

  /** @param isWritable What `poll` says: up to a quarter of it is filled. */
  constructor(libcpg: Libcpg, fd: number, isWritable: () => boolean) {
    this.#libcpg = libcpg;
    this.#fd = fd;
    this.#isWritable = isWritable;
    this.#memory = new NativeMemory(libcpg, SIZEOF_MEMINFO + 4);
    this.#byteSize = byteSizes.get(libcpg) || measureByte(libcpg, this.#memory);
    byteSizes.set(libcpg, this.#byteSize);
    const buffer = ask(libcpg, this.#memory, fd, SO_SNDBUF, 0);
    this.#capacity = this.#byteSize > 0 && buffer > 0
      ? Math.max(1, Math.floor(SHARE * buffer / this.#byteSize))
      : 0;
  }

  /** For how many sends there is room now. */
  look(): number {
    const capacity = this.#capacity;
    if (capacity === 0) return this.#isWritable() ? FEW : 0;
    const used = ask(
      this.#libcpg,
      this.#memory,
      this.#fd,
      SO_MEMINFO,
      WMEM_ALLOC,
    );
    const room = capacity - Math.ceil(used / this.#byteSize);
    return room < Math.min(LEAST, capacity / 2) ? 0 : Math.min(room, MOST);
  }

  /** Gives its memory back. */
  free(): void {
    this.#memory.free();
  }
}

/** Has a socket hold one byte: 768 on Linux 6.18, where 278 fit by default. */
function measureByte(libcpg: Libcpg, memory: NativeMemory): number {
  const { socketpair, write, close } = libcpg.calls;
  const { view, address } = memory;
  const type = SOCK_STREAM | SOCK_CLOEXEC;
  if (socketpair(AF_UNIX, type, 0, address) !== 0) return 0;
  const pair = [view.getInt32(0, true), view.getInt32(4, true)];
  const isThere = write(pair[0], address, 1n) === 1n;
  const size = ask(libcpg, memory, pair[0], SO_MEMINFO, WMEM_ALLOC);
  for (const fd of pair) close(fd);
  return isThere ? size : 0;
}

/** A number out of a socket's option; 0 if there is none. */
function ask(
  libcpg: Libcpg,
  { view, address }: NativeMemory,
  fd: number,
  option: number,
  offset: number,
): number {
  view.setUint32(offset, 0, true);
  view.setUint32(SIZEOF_MEMINFO, SIZEOF_MEMINFO, true);
  const length = address + BigInt(SIZEOF_MEMINFO);
  const { getsockopt } = libcpg.calls;
  const result = getsockopt(fd, SOL_SOCKET, option, address, length);
  return result === 0 ? view.getUint32(offset, true) : 0;
}
