/** Waiting for descriptors, and leaving the event loop to others meanwhile. */
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertLess,
} from "@std/assert";
import { stub } from "@std/testing/mock";
import { openLibcpg } from "../libcpg.ts";
import { NativeMemory } from "../memory.ts";
import { viewOf } from "../ffi.ts";
import { Poller, POLLIN } from "../poller.ts";
import { within } from "./support.ts";

/** Has a socket send to itself, and says how often that has worked. */
async function echo(signal: AbortSignal): Promise<number> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const [out, back] = await Promise.all([
    Deno.connect({ hostname: "127.0.0.1", port }),
    listener.accept(),
  ]);
  const byte = new Uint8Array(1);
  let count = 0;
  for (; !signal.aborted; count++) {
    // Only a read that was there first has to wait for the event loop.
    const reading = back.read(byte);
    await out.write(byte);
    await reading;
  }
  out.close();
  back.close();
  return count;
}

Deno.test("who turns without end still leaves sockets their turn", async () => {
  const controller = new AbortController();
  const echoing = echo(controller.signal);
  const poller = Poller.of(openLibcpg());
  poller.hold();
  let turns = 0;
  const end = performance.now() + 500;
  for (let now = 0; now < end; turns++) {
    for (const start = now = performance.now(); now < start + 1;) {
      now = performance.now();
    }
    await poller.turn();
  }
  controller.abort();
  const echoes = await within("the last echo", echoing);
  await within("the end", poller.release());
  assertLess(turns / 30, echoes);
});

for (const step of [0, 2]) {
  Deno.test(`a turn is due with a clock that makes ${step} ms each time`, async () => {
    let time = 1;
    using _clock = stub(performance, "now", () => time += step);
    const poller = Poller.of(openLibcpg());
    let over = false;
    setImmediate(() => over = true);
    let calls = 0;
    // One of them calls while the other waits for the turn.
    await Promise.all([1, 2].map(async () => {
      for (; !over; calls++) {
        assertLess(calls, 1000);
        await poller.turnIfDue();
      }
    }));
    assertLess(calls, step > 0 ? 10 : 200);
  });
}

/** What a look at descriptors takes by the clock of {@linkcode Waits}. */
const LOOK = 0.01;

/** A poller whose waits take so many milliseconds of a clock of its own. */
class Waits implements AsyncDisposable {
  /** When it waited on this thread, and when on another. */
  readonly here: number[] = [];
  readonly elsewhere: number[] = [];
  /** How often it has left the processor to others. */
  yields = 0;
  readonly poller: Poller;
  readonly #libcpg = openLibcpg();
  readonly #fd = this.#libcpg.calls.eventfd(0, 0);
  readonly #one = new NativeMemory(this.#libcpg, 8);
  readonly #clock: Disposable;
  readonly #wait: number;
  #time = performance.now();
  /** When the descriptor becomes readable. */
  #due = 0;

  constructor(wait: number) {
    this.#wait = wait;
    const { calls, async } = this.#libcpg;
    this.#one.view.setBigUint64(0, 1n, true);
    this.#clock = stub(performance, "now", () => this.#time);
    const pass = (until: number) => {
      this.#time = Math.max(this.#time, until);
      if (this.#time < this.#due) return;
      this.#due = Infinity;
      calls.write(this.#fd, this.#one.address, 8n);
    };
    this.poller = Poller.of({
      ...this.#libcpg,
      calls: {
        ...calls,
        ppoll: (fds, count, longest, mask) => {
          const [, nanoseconds] = new BigUint64Array(viewOf(longest, 16));
          if (nanoseconds > 0n) this.here.push(this.#time);
          pass(nanoseconds > 0n ? this.#due : this.#time + LOOK);
          return calls.ppoll(fds, count, longest, mask);
        },
        sched_yield: () => {
          this.yields++;
          return 0;
        },
      },
      async: {
        ...async,
        poll: (fds, count, milliseconds) => {
          this.elsewhere.push(this.#time);
          pass(this.#due);
          return async.poll(fds, count, milliseconds);
        },
      },
    });
    this.poller.hold();
  }

  /** Waits once. */
  async wait(): Promise<void> {
    this.#due = this.#time + this.#wait;
    await within(
      "the descriptor to be readable",
      new Promise<number>((resolve) =>
        this.poller.watch(this.#fd, POLLIN, resolve)
      ),
    );
    this.#libcpg.calls.read(this.#fd, this.#one.address, 8n);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.poller.release();
    this.#clock[Symbol.dispose]();
    this.#one.free();
    this.#libcpg.calls.close(this.#fd);
  }
}

for (const wait of [0.3, 0.7]) {
  Deno.test(`who waits ${wait} ms again and again rests every 8 ms`, async () => {
    await using waits = new Waits(wait);
    while (waits.elsewhere.length < 4) await waits.wait();
    const rests = waits.elsewhere;
    for (const [i, at] of rests.slice(1).entries()) {
      assertAlmostEquals(at - rests[i], 8, 3 * wait);
    }
  });
}

Deno.test("who turns often enough needs no rest", async () => {
  // 80 turns in 8 ms: the event loop has looked at everything.
  await using waits = new Waits(0.1);
  for (let i = 0; i < 500; i++) await waits.wait();
  // Before it knows that the waits are short, it waits elsewhere.
  assertEquals(waits.elsewhere.length, 1);
});

Deno.test("who waits but briefly does not go to sleep", async () => {
  await using waits = new Waits(0.1);
  for (let i = 0; i < 10; i++) await waits.wait();
  assertEquals(waits.here, []);
  assert(waits.yields > 0);
});

Deno.test("who waits longer goes to sleep at once", async () => {
  await using waits = new Waits(0.3);
  for (let i = 0; i < 10; i++) await waits.wait();
  assert(waits.here.length > 0);
  assertEquals(waits.yields, 0);
});

Deno.test("a stopped clock does not stop the event loop", async () => {
  const libcpg = openLibcpg();
  const { calls } = libcpg;
  const fd = calls.eventfd(1, 0);
  const count = new NativeMemory(libcpg, 8);
  const poller = Poller.of({ ...libcpg });
  poller.hold();
  using _clock = stub(performance, "now", () => 0);
  for (let i = 0; i < 3; i++) {
    const ready = new Promise((resolve) => poller.watch(fd, POLLIN, resolve));
    if (i > 0) {
      setTimeout(() => {
        count.view.setBigUint64(0, 1n, true);
        calls.write(fd, count.address, 8n);
      });
    }
    await within("the descriptor to be readable", ready);
    calls.read(fd, count.address, 8n);
  }
  // Nor where something is always ready.
  calls.write(fd, count.address, 8n);
  let timeIsUp = false;
  setTimeout(() => timeIsUp = true);
  for (let i = 0; i < 100_000 && !timeIsUp; i++) {
    await new Promise((resolve) => poller.watch(fd, POLLIN, resolve));
  }
  assert(timeIsUp);
  await poller.release();
  count.free();
  calls.close(fd);
});

Deno.test("who has another thread make a call does not wait on this one", async () => {
  await using waits = new Waits(0.3);
  for (let i = 0; i < 5; i++) await waits.wait();
  const before = waits.here.length;
  assert(before > 0);
  const { promise, resolve } = Promise.withResolvers<void>();
  const call = waits.poller.elsewhere(() => promise);
  for (let i = 0; i < 5; i++) await waits.wait();
  assertEquals(waits.here.length, before);
  resolve();
  await call;
  for (let i = 0; i < 5; i++) await waits.wait();
  assert(waits.here.length > before);
});

Deno.test("waiting takes one descriptor, however often it begins", async () => {
  const libcpg = openLibcpg();
  const { eventfd, close } = libcpg.calls;
  const opened: number[] = [];
  const closed: number[] = [];
  const poller = Poller.of({
    ...libcpg,
    calls: {
      ...libcpg.calls,
      eventfd: (...args) => opened[opened.push(eventfd(...args)) - 1],
      close: (fd) => (closed.push(fd), close(fd)),
    },
  });
  const ready = eventfd(1, 0);
  poller.hold();
  poller.hold();
  for (let i = 0; i < 10; i++) {
    await within(
      "the descriptor to be readable",
      new Promise<number>((resolve) => poller.watch(ready, POLLIN, resolve)),
    );
    await poller.turn();
  }
  await poller.release();
  assertEquals([opened.length, closed], [1, []]);
  await poller.release();
  assertEquals(closed, opened);
  close(ready);
});

Deno.test("where no thread can be had, waiting goes on without", async () => {
  const libcpg = openLibcpg();
  const { calls, async } = libcpg;
  const refuse = () => Promise.reject(new Error("no thread"));
  const poller = Poller.of({
    ...libcpg,
    async: { ...async, poll: refuse, ppoll: refuse },
  });
  const fd = calls.eventfd(0, 0);
  const one = new NativeMemory(libcpg, 8);
  one.view.setBigUint64(0, 1n, true);
  poller.hold();
  const ready = new Promise((resolve) => poller.watch(fd, POLLIN, resolve));
  const timer = setTimeout(() => calls.write(fd, one.address, 8n), 20);
  await within("the descriptor to be readable", ready);
  clearTimeout(timer);
  let turned = 0;
  const interval = setInterval(() => turned++);
  while (turned < 3) await within("a turn", poller.turn());
  clearInterval(interval);
  const other = calls.eventfd(0, 0);
  await within("the end", poller.watch(other, POLLIN, () => {}).cancel());
  await within("the end", poller.release());
  one.free();
  for (const one of [fd, other]) calls.close(one);
});

Deno.test("a turn does not take a thread that there is not", async () => {
  const libcpg = openLibcpg();
  const { calls, async } = libcpg;
  const fd = calls.eventfd(0, 0);
  const memory = new NativeMemory(libcpg, 8);
  memory.view.setInt32(0, fd, true);
  memory.view.setInt16(4, POLLIN, true);
  // More than there are threads.
  let returned = 0;
  const waiting = Promise.all(
    Array.from({ length: 40 }, async () => {
      await async.poll(memory.address, 1n, 30_000);
      returned++;
    }),
  );
  const poller = Poller.of(libcpg);
  poller.hold();
  for (let turns = 0; turns < 20; turns++) {
    await within("a turn", poller.turn());
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assertEquals(returned, 0);
  const one = new NativeMemory(libcpg, 8);
  one.view.setBigUint64(0, 1n, true);
  calls.write(fd, one.address, 8n);
  await within("the threads", waiting);
  await within("the end", poller.release());
  calls.close(fd);
  memory.free();
  one.free();
});

Deno.test("where something is always ready, the event loop has its turn each millisecond", async () => {
  const libcpg = openLibcpg();
  const fd = libcpg.calls.eventfd(1, 0);
  const poller = Poller.of({ ...libcpg });
  poller.hold();
  let time = performance.now();
  using _clock = stub(performance, "now", () => time);
  const ready = () =>
    new Promise((resolve) => poller.watch(fd, POLLIN, resolve));
  await ready(); // On another thread, while the event loop turns and turns.
  let turns = 0;
  let immediate = setImmediate(function turn() {
    turns++;
    immediate = setImmediate(turn);
  });
  for (let i = 0; i < 100; i++) {
    await ready();
    time += 0.1;
  }
  clearImmediate(immediate);
  assert(turns >= 8, `${turns} turns in 10 ms`);
  await poller.release();
  libcpg.calls.close(fd);
});
