/** How much is sent before it is looked whether there is room. */
import { assert, assertEquals, assertLess } from "@std/assert";
import { stub } from "@std/testing/mock";
import { viewOf } from "../ffi.ts";
import { openLibcpg } from "../libcpg.ts";
import { NativeMemory } from "../memory.ts";
import { PollSet } from "../poll_set.ts";
import { POLLOUT } from "../poller.ts";
import { sendsPerLook } from "../socket_room.ts";

/** A library of its own, of which nothing is known yet. */
function library() {
  const libcpg = openLibcpg();
  return { ...libcpg, calls: { ...libcpg.calls } };
}

/** Two sockets, one to the other, whose writes do not wait. */
class Pair implements Disposable {
  readonly libcpg = library();
  readonly fds: number[];
  readonly #memory = new NativeMemory(this.libcpg, 8);
  readonly #set = new PollSet(this.libcpg);

  constructor() {
    const { view, address } = this.#memory;
    const [stream, nonblocking] = [1, 0o4000];
    const { socketpair } = this.libcpg.calls;
    assertEquals(socketpair(1, stream | nonblocking, 0, address), 0);
    this.fds = [view.getInt32(0, true), view.getInt32(4, true)];
    this.#set.arrange([{ fd: this.fds[0], events: POLLOUT }]);
  }

  /** Writes a byte, if there is room. */
  write(): boolean {
    const { write } = this.libcpg.calls;
    return write(this.fds[0], this.#memory.address, 1n) === 1n;
  }

  /** Whether `poll` says that writing would not block. */
  get isWritable(): boolean {
    return this.#set.here(0n) === 1;
  }

  [Symbol.dispose](): void {
    for (const fd of this.fds) this.libcpg.calls.close(fd);
    this.#set.free();
    this.#memory.free();
  }
}

Deno.test("a writable socket has room for as many sends as it gets", () => {
  using pair = new Pair();
  const sends = sendsPerLook(pair.libcpg, pair.fds[0]);
  let already = 0;
  while (pair.isWritable && pair.write()) already++;
  let more = 0;
  while (pair.write()) more++;
  // What made it unwritable is one more than there may be.
  assert(already > 1 && more + 1 > sends, `${already}, ${more}, ${sends}`);
  assertLess(more / 2, sends, "far fewer than there is room for");
});

/** What a socket gets whose options have other sizes. */
function sendsWith(buffer: number, byte: number): number {
  using pair = new Pair();
  using _size = stub(
    pair.libcpg.calls,
    "getsockopt",
    (_fd, _level, option, value) => {
      const isBuffer = option === 7;
      const words = new Uint32Array(viewOf(value, isBuffer ? 4 : 36));
      words[isBuffer ? 0 : 2] = isBuffer ? buffer : byte;
      return buffer > 0 ? 0 : -1;
    },
  );
  return sendsPerLook(pair.libcpg, pair.fds[0]);
}

Deno.test("what a socket gets goes by its size, within bounds", () => {
  assertEquals(sendsWith(212_992, 768), 184);
  assertEquals(sendsWith(212_992, 1280), 110);
  assertEquals(sendsWith(30 * 768, 768), 20);
  assertEquals(sendsWith(768, 768), 1);
  assertEquals(sendsWith(4 * 2 ** 20, 768), 256);
});

Deno.test("where a system does not say how much there is room for, few are sent", () => {
  assertEquals(sendsWith(0, 0), 64);
  using pair = new Pair();
  using _none = stub(pair.libcpg.calls, "socketpair", () => -1);
  assertEquals(sendsPerLook(pair.libcpg, pair.fds[0]), 64);
});
