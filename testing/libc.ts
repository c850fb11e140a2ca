/**
 * What the programs of the private network call in libc, since `ip` and `tc`
 * are not on every machine.
 *
 * @module
 */

/** The functions, as Deno calls them. */
export type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

const SYMBOLS = {
  // int socket(int domain, int type, int protocol);
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  // int bind(int fd, const struct sockaddr *address, socklen_t size);
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  // int setsockopt(int fd, int level, int name, const void *, socklen_t size);
  setsockopt: {
    parameters: ["i32", "i32", "i32", "buffer", "u32"],
    result: "i32",
  },
  // ssize_t send(int fd, const void *buffer, size_t size, int flags);
  send: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  // ssize_t recv(int fd, void *buffer, size_t size, int flags);
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  // int poll(struct pollfd *, nfds_t count, int timeout);
  poll: {
    parameters: ["buffer", "u64", "i32"],
    result: "i32",
    nonblocking: true,
  },
  // int open(const char *path, int flags);
  open: { parameters: ["buffer", "i32"], result: "i32" },
  // int setns(int fd, int kind);
  setns: { parameters: ["i32", "i32"], result: "i32" },
  // int close(int fd);
  close: { parameters: ["i32"], result: "i32" },
} as const;

/** Loads libc. */
export function openLibc(): Libc {
  return Deno.dlopen("libc.so.6", SYMBOLS).symbols;
}

/** The result of a call, or an error if that is −1. */
export function succeed<T extends number | bigint>(call: string, result: T): T {
  if (Number(result) !== -1) return result;
  throw new Error(`The private network cannot be set up: ${call} failed`);
}
