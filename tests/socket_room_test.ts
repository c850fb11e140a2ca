/** How much is sent before it is looked again whether there is room. */
import {
  assert,
  assertEquals,
  assertLessOrEqual,
  assertRejects,
} from "@std/assert";
import { stub } from "@std/testing/mock";
import { CpgError } from "../errors.ts";
import { viewOf } from "../ffi.ts";
import { openLibcpg } from "../libcpg.ts";
import { NativeMemory } from "../memory.ts";
import { PollSet } from "../poll_set.ts";
import { Poller, POLLOUT } from "../poller.ts";
import { SocketRoom } from "../socket_room.ts";
import { joinFresh, within } from "./support.ts";

/** A library of its own, of which nothing is known yet. */
function library() {
  const libcpg = openLibcpg();
  return { ...libcpg, calls: { ...libcpg.calls } };
}

class Room extends SocketRoom implements Disposable {
  [Symbol.dispose](): void {
    this.free();
  }
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

  /** Its room, as is said where a connection has it. */
  room(): Room {
    const { libcpg, fds } = this;
    return new Room(libcpg, fds[0], () => this.isWritable);
  }

  /** Writes a byte, if there is room. */
  write(): boolean {
    const { write } = this.libcpg.calls;
    return write(this.fds[0], this.#memory.address, 1n) === 1n;
  }

  /** Reads so many bytes. */
  read(count: number): void {
    const { read } = this.libcpg.calls;
    for (let i = 0; i < count; i++) {
      assertEquals(read(this.fds[1], this.#memory.address, 1n), 1n);
    }
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

Deno.test("a socket that is not full has room for as many sends as it says", () => {
  using pair = new Pair();
  using room = pair.room();
  let capacity = 0;
  while (pair.write()) capacity++;
  assertEquals(room.look(), 0);
  for (let free = 0; free < capacity; free++) {
    const sends = room.look();
    assertLessOrEqual(sends, free);
    // The rest is for what is not counted.
    if (free > capacity / 3) assertLessOrEqual(free - capacity / 9, sends);
    pair.read(1);
  }
});

Deno.test("who waits for a socket to be writable finds room then", () => {
  using pair = new Pair();
  using room = pair.room();
  let capacity = 0;
  while (pair.write()) capacity++;
  let read = 0;
  for (; !pair.isWritable; read++) pair.read(1);
  assert(room.look() > 0);
  // There is some before that.
  assertLessOrEqual(capacity / 2, read);
});

/** What an empty socket gets whose options have other sizes. */
function sendsWith(buffer: number, byte: number, sent = 0): number {
  using pair = new Pair();
  let isMeasured = false;
  using _size = stub(
    pair.libcpg.calls,
    "getsockopt",
    (_fd, _level, option, value) => {
      const isBuffer = option === 7;
      const words = new Uint32Array(viewOf(value, isBuffer ? 4 : 36));
      if (isBuffer) words[0] = buffer;
      else {
        words[2] = isMeasured ? sent * byte : byte;
        isMeasured = true;
      }
      return buffer > 0 ? 0 : -1;
    },
  );
  using room = pair.room();
  return room.look();
}

Deno.test("what a socket gets goes by its size, within bounds", () => {
  assertEquals(sendsWith(212_992, 768), 249);
  assertEquals(sendsWith(212_992, 768, 217), 32);
  assertEquals(sendsWith(212_992, 768, 218), 0);
  assertEquals(sendsWith(212_992, 1280), 149);
  assertEquals(sendsWith(30 * 768, 768), 27);
  assertEquals(sendsWith(30 * 768, 768, 7), 20);
  assertEquals(sendsWith(30 * 768, 768, 14), 0);
  assertEquals(sendsWith(768, 768), 1);
  assertEquals(sendsWith(768, 768, 1), 0);
  assertEquals(sendsWith(4 * 2 ** 20, 768), 256);
});

Deno.test("where a system does not say how much there is room for, few are sent", () => {
  assertEquals(sendsWith(0, 0), 64);
  using pair = new Pair();
  using _none = stub(pair.libcpg.calls, "socketpair", () => -1);
  using room = pair.room();
  assertEquals(room.look(), 64);
  while (pair.isWritable && pair.write());
  assertEquals(room.look(), 0);
});

Deno.test("what could not be measured once is measured again", () => {
  using pair = new Pair();
  {
    using _none = stub(pair.libcpg.calls, "socketpair", () => -1);
    using _room = pair.room();
  }
  using room = pair.room();
  assertEquals(room.look(), 249);
});

Deno.test("what is sent at once is as much as there is room for", async () => {
  const rooms = [100, 0];
  using _look = stub(SocketRoom.prototype, "look", () => rooms.shift() ?? 0);
  const group = await joinFresh();
  const messages = Array<Uint8Array>(200).fill(new Uint8Array());
  assertEquals(group.trySendAll(messages), 100);
  await group.close();
});

Deno.test("an event has a send go on that waits for room, where there is some", async () => {
  let room = 1;
  using _look = stub(SocketRoom.prototype, "look", () => room);
  const { watch } = Poller.prototype;
  let watched = 0;
  using _watch = stub(
    Poller.prototype,
    "watch",
    function (this: Poller, fd, events, ready) {
      if (events !== POLLOUT) return watch.call(this, fd, events, ready);
      // To `poll`, it is not enough.
      watched++;
      return { change() {}, cancel: () => Promise.resolve(void watched--) };
    },
  );
  const group = await joinFresh();
  // Its event comes later.
  await group.send(new Uint8Array());
  room = 0;
  const sent = group.send(new Uint8Array());
  assertEquals(watched, 1);
  room = 1;
  await within("the send", sent);
  room = 0;
  const late = assertRejects(() => group.send(new Uint8Array()), CpgError);
  // Nobody watches the descriptor when it is not this connection's any more.
  await within("the end", group.close());
  await late;
  assertEquals(watched, 0);
});
