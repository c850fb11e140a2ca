/**
 * What the programs of the private network call in libc, since `ip` and `tc`
 * are not on every machine.
 *
 * @module
 */

import { addressOf, open } from "../native/deno.ts";

/** The functions, as C has them. */
interface LibcCalls {
  /** `socket(int domain, int type, int protocol)` */
  socket(domain: number, type: number, protocol: number): number;
  /** `bind(int fd, const struct sockaddr *address, socklen_t size)` */
  bind(fd: number, address: bigint, size: number): number;
  /** `setsockopt(int fd, int level, int name, const void *, socklen_t size)` */
  setsockopt(
    fd: number,
    level: number,
    name: number,
    value: bigint,
    size: number,
  ): number;
  /** `send(int fd, const void *buffer, size_t size, int flags)` */
  send(fd: number, buffer: bigint, size: bigint, flags: number): bigint;
  /** `recv(int fd, void *buffer, size_t size, int flags)` */
  recv(fd: number, buffer: bigint, size: bigint, flags: number): bigint;
  /** `poll(struct pollfd *, nfds_t count, int timeout)` */
  poll(fds: bigint, count: bigint, timeout: number): number;
  /** `open(const char *path, int flags)` */
  open(path: bigint, flags: number): number;
  /** `setns(int fd, int kind)` */
  setns(fd: number, kind: number): number;
  /** `close(int fd)` */
  close(fd: number): number;
}

/** The functions, with bytes for pointers. */
export interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array): number;
  setsockopt(
    fd: number,
    level: number,
    name: number,
    value: Uint8Array,
  ): number;
  send(fd: number, bytes: Uint8Array, flags: number): number;
  recv(fd: number, bytes: Uint8Array, flags: number): number;
  /** Waits on another thread; `fds` must be in use until it is done. */
  poll(fds: Uint8Array, count: number, timeout: number): Promise<number>;
  open(path: Uint8Array, flags: number): number;
  setns(fd: number, kind: number): number;
  close(fd: number): number;
}

/** Loads libc. */
export function openLibc(): Libc {
  const { calls, async } = open<LibcCalls>("libc.so.6", {
    socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
    bind: { parameters: ["i32", "pointer", "u32"], result: "i32" },
    setsockopt: {
      parameters: ["i32", "i32", "i32", "pointer", "u32"],
      result: "i32",
    },
    send: { parameters: ["i32", "pointer", "usize", "i32"], result: "u64" },
    recv: { parameters: ["i32", "pointer", "usize", "i32"], result: "u64" },
    poll: { parameters: ["pointer", "u64", "i32"], result: "i32" },
    open: { parameters: ["pointer", "i32"], result: "i32" },
    setns: { parameters: ["i32", "i32"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
  });
  const { socket, setns, close } = calls;
  return {
    socket,
    setns,
    close,
    bind: (fd, address) => calls.bind(fd, addressOf(address), address.length),
    setsockopt: (fd, level, name, value) =>
      calls.setsockopt(fd, level, name, addressOf(value), value.length),
    send: (fd, bytes, flags) =>
      signed(calls.send(fd, addressOf(bytes), BigInt(bytes.length), flags)),
    recv: (fd, bytes, flags) =>
      signed(calls.recv(fd, addressOf(bytes), BigInt(bytes.length), flags)),
    poll: (fds, count, timeout) =>
      async.poll(addressOf(fds), BigInt(count), timeout),
    open: (path, flags) => calls.open(addressOf(path), flags),
  };
}

/** A `ssize_t`. */
function signed(size: bigint): number {
  return Number(BigInt.asIntN(64, size));
}

/** The result of a call, or an error if that is −1. */
export function succeed(call: string, result: number): number {
  if (result !== -1) return result;
  throw new Error(`The private network cannot be set up: ${call} failed`);
}
