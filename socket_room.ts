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
 * The share of the buffer that is filled between two looks at whether there is
 * room. A socket counts as writable up to a quarter. The more waits there, the
 * less often this process and the daemon wait for each other.
 */
const SHARE = 2 / 3;

/** Sends between two looks where the system does not say what it has room for. */
const FEW = 64;

/** More at a time would keep others from their turn. */
const MOST = 256;

/** What one byte takes of a socket's buffer, in bytes; 0 if it is not said. */
const byteSizes = new WeakMap<Libcpg, number>();

/** How many sends a connection's socket has room for whenever it is writable. */
export function sendsPerLook(libcpg: Libcpg, fd: number): number {
  const memory = new NativeMemory(libcpg, SIZEOF_MEMINFO + 4);
  try {
    let size = byteSizes.get(libcpg);
    if (size === undefined) {
      byteSizes.set(libcpg, size = measureByte(libcpg, memory));
    }
    const buffer = ask(libcpg, memory, fd, SO_SNDBUF, 0);
    if (size === 0 || buffer === 0) return FEW;
    return Math.max(1, Math.min(MOST, Math.floor(SHARE * buffer / size)));
  } finally {
    memory.free();
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
