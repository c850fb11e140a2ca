/**
 * The few functions of libc that the library needs. libcpg's own handle finds
 * them.
 *
 * @module
 */
import type { Signature } from "./native/port.ts";

/** Size of `struct pollfd`: an int descriptor, short events and revents. */
export const SIZEOF_POLLFD = 8;

/** Size of `struct timespec`: u64 seconds and nanoseconds. */
export const SIZEOF_TIMESPEC = 16;

/** What a program needs of libc, too, to wait for a connection's descriptor. */
export interface PollCalls {
  /**
   * Waits until a descriptor is ready.
   *
   * `poll(struct pollfd *fds, nfds_t count, int timeout)`
   *
   * @param fds Structs of 8 bytes: an i32 descriptor, i16 events to wait for
   * (1 is readable, 4 writable), i16 for those that have come (16 is hung up).
   * @param count How many.
   * @param timeout In milliseconds; -1 for none.
   * @returns How many are ready; -1 for an error.
   */
  poll(fds: bigint, count: bigint, timeout: number): number;
}

/** All of them. */
export interface LibcCalls extends PollCalls {
  /** `getpid(void)` */
  getpid(): number;
  /** `malloc(size_t size)`: an address, or 0n. */
  malloc(size: bigint): bigint;
  /** `free(void *memory)` */
  free(memory: bigint): void;
  /**
   * `bsearch(const void *key, const void *base, size_t count, size_t size, int (*compare)(const void *, const void *))`;
   * what it returns is of no use here.
   */
  bsearch(
    key: bigint,
    base: bigint,
    count: bigint,
    size: bigint,
    compare: bigint,
  ): void;
  /** `ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)` */
  ppoll(fds: bigint, count: bigint, timeout: bigint, mask: bigint): number;
  /** `sched_yield(void)` */
  sched_yield(): number;
  /** `eventfd(unsigned int initial, int flags)` */
  eventfd(initial: number, flags: number): number;
  /** `read(int fd, void *memory, size_t count)` */
  read(fd: number, memory: bigint, count: bigint): bigint;
  /** `write(int fd, const void *memory, size_t count)` */
  write(fd: number, memory: bigint, count: bigint): bigint;
  /** `open(const char *path, int flags)` */
  open(path: bigint, flags: number): number;
  /** `unlink(const char *path)` */
  unlink(path: bigint): number;
  /** `socketpair(int domain, int type, int protocol, int sockets[2])` */
  socketpair(
    domain: number,
    type: number,
    protocol: number,
    sockets: bigint,
  ): number;
  /** `getsockopt(int fd, int level, int option, void *value, socklen_t *length)` */
  getsockopt(
    fd: number,
    level: number,
    option: number,
    value: bigint,
    length: bigint,
  ): number;
  /** `getrlimit(int resource, struct rlimit *limit)` */
  getrlimit(resource: number, limit: bigint): number;
  /** `close(int fd)` */
  close(fd: number): number;
  /** `dlopen(const char *path, int flags)` */
  dlopen(path: bigint, flags: number): bigint;
  /** `mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)` */
  mmap(
    address: bigint,
    length: bigint,
    protection: number,
    flags: number,
    fd: number,
    offset: bigint,
  ): bigint;
  /** `mprotect(void *address, size_t length, int protection)` */
  mprotect(address: bigint, length: bigint, protection: number): number;
  /** `munmap(void *address, size_t length)` */
  munmap(address: bigint, length: bigint): number;
  /** `statfs(const char *path, struct statfs *status)` */
  statfs(path: bigint, status: bigint): number;
}

/** The same for the runtime. */
export const libcSignatures: Readonly<Record<keyof LibcCalls, Signature>> = {
  getpid: { parameters: [], result: "i32" },
  malloc: { parameters: ["usize"], result: "pointer" },
  free: { parameters: ["pointer"], result: "void" },
  bsearch: {
    parameters: ["u64", "pointer", "usize", "usize", "pointer"],
    result: "void",
  },
  poll: { parameters: ["pointer", "u64", "i32"], result: "i32" },
  ppoll: {
    parameters: ["pointer", "u64", "pointer", "pointer"],
    result: "i32",
  },
  sched_yield: { parameters: [], result: "i32" },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  read: { parameters: ["i32", "pointer", "usize"], result: "u64" },
  write: { parameters: ["i32", "pointer", "usize"], result: "u64" },
  open: { parameters: ["pointer", "i32"], result: "i32" },
  unlink: { parameters: ["pointer"], result: "i32" },
  socketpair: { parameters: ["i32", "i32", "i32", "pointer"], result: "i32" },
  getsockopt: {
    parameters: ["i32", "i32", "i32", "pointer", "pointer"],
    result: "i32",
  },
  getrlimit: { parameters: ["i32", "pointer"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  dlopen: { parameters: ["pointer", "i32"], result: "pointer" },
  mmap: {
    parameters: ["pointer", "usize", "i32", "i32", "i32", "u64"],
    result: "pointer",
  },
  mprotect: { parameters: ["pointer", "usize", "i32"], result: "i32" },
  munmap: { parameters: ["pointer", "usize"], result: "i32" },
  statfs: { parameters: ["pointer", "pointer"], result: "i32" },
};
