/**
 * Brings up the loopback interface of the network namespace it runs in, with
 * the ioctls of netdevice(7), since `ip` is not on every machine. A program of
 * its own, because only a process inside the namespace can do it.
 *
 * @module
 */

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SIOCGIFFLAGS = 0x8913n;
const SIOCSIFFLAGS = 0x8914n;
const IFF_UP = 0x1;
/** struct ifreq: 16 bytes of name, then a union whose first member is used. */
const IFREQ_SIZE = 40;
const IFREQ_FLAGS = 16;

const LIBC = {
  // int socket(int domain, int type, int protocol);
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  // int ioctl(int fd, unsigned long request, struct ifreq *argument);
  ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
  // int close(int fd);
  close: { parameters: ["i32"], result: "i32" },
} as const;

/** Sets the flag `IFF_UP` of `lo`; throws if the kernel refuses. */
export function raiseLoopback(): void {
  const { symbols: libc } = Deno.dlopen("libc.so.6", LIBC);
  const request = new Uint8Array(IFREQ_SIZE);
  request.set(new TextEncoder().encode("lo"));
  const flags = new Uint16Array(request.buffer, IFREQ_FLAGS, 1);

  const socket = libc.socket(AF_INET, SOCK_DGRAM, 0);
  let raised = libc.ioctl(socket, SIOCGIFFLAGS, request) === 0;
  flags[0] |= IFF_UP;
  raised &&= libc.ioctl(socket, SIOCSIFFLAGS, request) === 0;
  libc.close(socket);
  if (!raised) throw new Error("Cannot bring up the loopback interface");
}

if (import.meta.main) raiseLoopback();
