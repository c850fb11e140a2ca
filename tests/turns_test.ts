/** That a group at work leaves the event loop to others, too. */
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
import { joinFresh, within } from "./support.ts";

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
  assertLess(turns / 30, echoes);
});

for (const wait of [0.1, 0.7]) {
  Deno.test(`who waits ${wait} ms again and again rests every 8 ms`, async () => {
    const libcpg = openLibcpg();
    const { eventfd, ppoll, write, read, close } = libcpg.calls;
    const fd = eventfd(0, 0);
    const one = new NativeMemory(libcpg, 8);
    one.view.setBigUint64(0, 1n, true);
    let time = performance.now();
    using _clock = stub(performance, "now", () => time);
    const rests: number[] = [];
    const poller = Poller.of({
      ...libcpg,
      calls: {
        ...libcpg.calls,
        ppoll(fds, count, longest, mask) {
          if (new BigUint64Array(viewOf(longest, 16))[1] > 0n) {
            time += wait;
            write(fd, one.address, 8n);
          }
          return ppoll(fds, count, longest, mask);
        },
      },
      async: {
        ...libcpg.async,
        poll(fds, count, milliseconds) {
          rests.push(time);
          time += wait;
          write(fd, one.address, 8n);
          return libcpg.async.poll(fds, count, milliseconds);
        },
      },
    });
    poller.hold();
    while (rests.length < 4) {
      await within(
        "the descriptor to be readable",
        new Promise<number>((resolve) => poller.watch(fd, POLLIN, resolve)),
      );
      read(fd, one.address, 8n);
    }
    await poller.release();
    one.free();
    close(fd);
    for (const [i, at] of rests.slice(1).entries()) {
      assertAlmostEquals(at - rests[i], 8, 3 * wait);
    }
  });
}

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
  for (let turns = 0; turns < 20; turns++) {
    await within("a turn", poller.turn());
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assertEquals(returned, 0);
  const one = new NativeMemory(libcpg, 8);
  one.view.setBigUint64(0, 1n, true);
  calls.write(fd, one.address, 8n);
  await within("the threads", waiting);
  calls.close(fd);
  memory.free();
  one.free();
});

Deno.test("sending without a pause leaves timers their turn", async () => {
  await using group = await joinFresh();
  let over = false;
  const timer = setTimeout(() => over = true, 100);
  let sent = 0;
  for (; !over && sent < 1_000_000; sent++) await group.send(new Uint8Array());
  clearTimeout(timer);
  assert(over, `${sent} messages, and still no turn for a timer`);
});

Deno.test("who floods himself reads as fast as he sends", async () => {
  await using group = await joinFresh();
  const count = 100_000;
  const data = new Uint8Array(64);
  let [sent, received, ahead] = [0, 0, 0];
  const sending = (async () => {
    for (; sent < count; sent++) await group.send(data);
  })();
  for await (const event of group) {
    if (event.type !== "message") continue;
    ahead = Math.max(ahead, sent - received);
    if (++received === count) break;
  }
  await sending;
  assertLess(ahead, count / 2);
});
