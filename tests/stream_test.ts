import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { CpgError, type Group, type GroupEvent } from "../mod.ts";
import {
  eventWhere,
  joinFresh,
  messages,
  pattern,
  script,
  text,
  until,
  within,
} from "./support.ts";

Deno.test("a confirmed message has been read, and all before it", async () => {
  const group = await joinFresh();
  const applied: number[] = [];
  const applying = (async () => {
    for await (const event of group) {
      if (event.type !== "message") continue;
      // What the reader does may take its time.
      await new Promise((resolve) => setTimeout(resolve, event.data[0] % 3));
      applied.push(event.data[0]);
    }
  })();
  await Promise.all(Array.from({ length: 50 }, async (_, i) => {
    await group.sendAndConfirm(new Uint8Array([i]));
    assertEquals(applied, Array.from({ length: applied.length }, (_, i) => i));
    assert(applied.length > i, `${i} is confirmed, and not applied`);
  }));
  await group.leave();
  await applying;
});

Deno.test("confirmations count every kind of send", async () => {
  const group = await joinFresh();
  const reading = (async () => {
    for await (const _ of group);
  })();
  using buffer = await group.alloc(100);
  const confirmed: number[] = [];
  const confirm = async (order: number, sending: Promise<void>) => {
    await sending;
    confirmed.push(order);
  };
  await Promise.all([
    confirm(1, group.sendAndConfirm(text("1"))),
    group.send(buffer),
    confirm(2, group.sendAndConfirm(pattern(2_000_000))),
    confirm(3, group.sendAndConfirm(buffer, { length: 3 })),
    group.send([]),
    confirm(4, group.sendAndConfirm([text("4"), text("4")])),
  ]);
  assertEquals(confirmed, [1, 2, 3, 4]);
  await group.leave();
  await reading;
});

Deno.test("a confirmation stops on a signal, and on closing", async () => {
  const group = await joinFresh();
  // Nobody reads, so nothing is confirmed.
  const controller = new AbortController();
  const stopped = assertRejects(
    () => group.sendAndConfirm(text("x"), { signal: controller.signal }),
    Error,
    "enough",
  );
  const closed = assertRejects(
    () => group.sendAndConfirm(text("y")),
    CpgError,
    "closed",
  );
  controller.abort(new Error("enough"));
  await stopped;
  // Its message is back, and will never be read.
  const reader = group[Symbol.asyncIterator]();
  for (let seen = ""; seen !== "ring";) {
    seen = (await reader.next()).value.type;
  }
  // One of the two messages; the other is right behind it.
  await reader.next();
  await group.members();
  await group.close();
  await within("the rejection", closed);
});

Deno.test("who confirms just as the group is closed is told so", async () => {
  const group = await joinFresh();
  const first = group.send(text("x"));
  const confirmed = group.sendAndConfirm(text("y"))
    .catch((error) => error.code);
  await first;
  await group.close();
  assertEquals(await within("an answer", confirmed), "CS_ERR_BAD_HANDLE");
});

Deno.test("after leaving, what came back is still confirmed to its reader", async () => {
  const group = await joinFresh();
  const confirmed = group.sendAndConfirm(text("x"));
  await group.leave();
  for await (const _ of group);
  await within("the confirmation", confirmed);
});

Deno.test("what has come is read without awaiting each, in one order with the rest", async () => {
  await using group = await joinFresh();
  const sent = Array.from({ length: 2000 }, (_, i) => pattern(i % 100, i));
  const sending = Promise.all(sent.map((data) => group.send(data)));
  const seen: GroupEvent[] = [];
  for await (const event of group) {
    seen.push(event);
    await until("all the rest", () => {
      let event: GroupEvent | undefined;
      while ((event = group.tryRead())) seen.push(event);
      return seen.length >= sent.length + 2;
    });
    break;
  }
  assertEquals(seen.slice(0, 2).map(({ type }) => type), [
    "membership",
    "ring",
  ]);
  assertEquals(
    seen.slice(2).map((event) => event.type === "message" && event.data),
    sent,
  );
  await sending;
});

Deno.test("a message that was read without awaiting is confirmed as the next is asked for", async () => {
  await using group = await joinFresh();
  await eventWhere(group, "the ring", (event) => event.type === "ring");
  let confirmed = false;
  const confirming = group.sendAndConfirm(text("x")).then(() => {
    confirmed = true;
  });
  await until("the message", () => group.tryRead() !== undefined);
  await group.members();
  assert(!confirmed, "confirmed while its reader is at it");
  assertEquals(group.tryRead(), undefined);
  await within("the confirmation", confirming);
});

Deno.test("nobody takes the event that another reader waits for", async () => {
  await using group = await joinFresh();
  await eventWhere(group, "the ring", (event) => event.type === "ring");
  const waiting = messages(group, 1);
  assertThrows(() => group.tryRead(), TypeError, "before the last has come");
  await group.send(text("awaited"));
  assertEquals(await waiting, [text("awaited")]);
});

Deno.test("reading without awaiting ends after what had come", async () => {
  const group = await joinFresh();
  await group.leave();
  const types = Array.from({ length: 4 }, () => group.tryRead()?.type);
  assertEquals(types, ["membership", "ring", "membership", undefined]);
  const closed = await joinFresh();
  await closed.close();
  assertEquals(closed.tryRead(), undefined);
});

Deno.test("the readable stream yields the group's events", async () => {
  await using group = await joinFresh();
  await group.send(text("1"));
  const reader = group.readable.getReader();
  const seen: string[] = [];
  while (!seen.includes("message")) {
    seen.push((await reader.read()).value!.type);
  }
  assertEquals(seen, ["membership", "ring", "message"]);
  await reader.cancel();
  await group.send(text("2"));
  assertEquals(await messages(group, 1), [text("2")]);
});

Deno.test("the readable stream ends when the group is left", async () => {
  const group = await joinFresh();
  const { readable } = group;
  await group.send(text("last"));
  await group.leave();
  const types = await Array.fromAsync(readable, ({ type }) => type);
  assertEquals(types, ["membership", "ring", "message", "membership"]);
});

Deno.test("bytes are piped into the group, each chunk a message", async () => {
  await using group = await joinFresh();
  const chunks = Array.from({ length: 100 }, (_, i) => pattern(50_000, i));
  const piping = ReadableStream.from(chunks).pipeTo(group.writable);
  assertEquals(await messages(group, 100), chunks);
  await piping;
  // Closing the stream has not closed the group.
  await group.send(text("more"));
  assertEquals(await messages(group, 1), [text("more")]);
});

/** Floods a group from another process: far more than a reader may keep. */
const flood = `
  import { join } from "@corosync/cpg";
  const group = await join(Deno.args[0]);
  (async () => { for await (const _ of group); })();
  const bytes = new Uint8Array(1000);
  const numbers = new DataView(bytes.buffer);
  let count = 0;
  while (count < 100_000) {
    numbers.setUint32(0, count);
    await group.send(bytes);
    if (++count % 100 === 0) await new Promise((resolve) => setTimeout(resolve));
  }
  console.log(count);
  await group.leave();
`;

Deno.test("a reader of one message a second keeps its memory, and loses nothing", async () => {
  const group = await joinFresh();
  await eventWhere(group, "the ring", (event) => event.type === "ring");
  const flooding = script(flood, {
    args: ["run", "--quiet", "--allow-ffi", "--allow-env=CPG_LIBRARY"],
    extra: [group.name],
  });
  let flooded = false;
  flooding.then(() => flooded = true);
  let next = await firstNumber(group);
  assertEquals(next++, 0);
  const before = Deno.memoryUsage().rss;
  let most = before;
  for (let second = 0; second < 10; second++) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    most = Math.max(most, Deno.memoryUsage().rss);
    assertEquals(await firstNumber(group), next++);
  }
  assert(most - before < 32 * 2 ** 20, `${most - before} bytes more`);
  // The reader goes on: every message comes, in order.
  for await (const event of group) {
    if (event.type === "message") assertEquals(number(event.data), next++);
    if (event.type === "membership" && event.left.length > 0) break;
  }
  const outcome = await flooding;
  assert(flooded);
  assertEquals(outcome.stderr, "");
  assertEquals(next, Number(outcome.stdout));
  await group.leave();
});

async function firstNumber(group: Group): Promise<number> {
  const [data] = await messages(group, 1);
  return number(data);
}

function number(data: Uint8Array): number {
  return new DataView(data.buffer).getUint32(0);
}
