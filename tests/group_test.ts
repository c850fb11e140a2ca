import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { CpgError, type Group } from "../mod.ts";
import {
  eventWhere,
  freshName,
  join,
  joinFresh,
  messages,
  pattern,
  script,
  text,
  until,
  within,
} from "./support.ts";

Deno.test("a message comes back to its sender, after the membership", async () => {
  await using group = await joinFresh();
  await group.send(text("hello"));
  const seen: string[] = [];
  for await (const event of group) {
    seen.push(event.type);
    if (event.type === "membership") {
      assertEquals(event.members, [group.self]);
      assertEquals(event.joined, [{ ...group.self, reason: "join" }]);
      assertEquals(event.left, []);
    }
    if (event.type === "ring") {
      assertEquals(event.nodes, [group.self.nodeId]);
      assertEquals(event.ringId.nodeId, group.self.nodeId);
      assert(event.ringId.seq > 0n);
    }
    if (event.type === "message") {
      assertEquals(event.sender, group.self);
      assertEquals(event.data, text("hello"));
      break;
    }
  }
  assertEquals(seen, ["membership", "ring", "message"]);
  assertEquals(group.self.pid, Deno.pid);
});

Deno.test("messages of all sizes arrive whole and in order", async () => {
  await using group = await joinFresh();
  const sizes = [0, 1, 63, 64, 65, 4096, 100_000, 1_047_552, 1_047_553];
  const sent = [...sizes, 5_000_000, 2].map((size, i) => pattern(size, i));
  const sending = Promise.all(sent.map((data) => group.send(data)));
  assertEquals(await messages(group, sent.length), sent);
  await sending;
});

Deno.test("parts are one message, however many they are", async () => {
  await using group = await joinFresh();
  const parts = Array.from({ length: 200 }, (_, i) => pattern(i, i));
  const whole = new Uint8Array(parts.flatMap((part) => [...part]));
  await group.send(parts);
  await group.send(parts.slice(0, 10));
  await group.send([]);
  await group.send([pattern(1_000_000), new Uint8Array(), pattern(500_000)]);
  const [all, ten, none, large] = await messages(group, 4);
  assertEquals(all, whole);
  assertEquals(ten, whole.slice(0, 45));
  assertEquals(none, new Uint8Array());
  assertEquals(large.subarray(0, 1_000_000), pattern(1_000_000));
  assertEquals(large.subarray(1_000_000), pattern(500_000));
});

Deno.test("a flood keeps its order, queued or not", async () => {
  await using group = await joinFresh();
  const count = 20_000;
  const word = new Uint32Array(1);
  const sending: Promise<void>[] = [];
  for (let i = 0; i < count; i++) {
    word[0] = i;
    sending.push(group.send(new Uint8Array(word.slice().buffer)));
  }
  const received = await messages(group, count);
  await Promise.all(sending);
  received.forEach((data, i) =>
    assertEquals(new Uint32Array(data.buffer)[0], i)
  );
});

Deno.test("trySend says false rather than wait", async () => {
  await using group = await joinFresh();
  const data = pattern(1_000_000);
  let sent = 0;
  while (sent < 1_000 && group.trySend(data)) sent++;
  assert(sent > 0 && sent < 1_000, `${sent} were sent`);
  assertEquals((await messages(group, sent)).length, sent);
  await until("room for one more", () => group.trySend(text("more")));
  assertThrows(
    () => group.trySend(pattern(1_047_553)),
    RangeError,
    "use send",
  );
});

Deno.test("members come and go", async () => {
  const name = freshName();
  await using group = await join(name);
  const program = `
    import { join } from "@corosync/cpg";
    const group = await join(${JSON.stringify(name)});
    await group.leave();
    console.log(group.self.pid);
  `;
  const other = await script(program);
  assertEquals(other.stderr, "");
  const pid = Number(other.stdout);
  const came = await eventWhere(
    group,
    "the other to join",
    (event) =>
      event.type === "membership" && event.joined.some((m) => m.pid === pid),
  );
  assert(came.type === "membership" && came.members.length === 2);
  const went = await eventWhere(
    group,
    "the other to leave",
    (event) => event.type === "membership" && event.left.length > 0,
  );
  assert(went.type === "membership");
  assertEquals(went.left[0], {
    nodeId: group.self.nodeId,
    pid,
    reason: "leave",
  });
  assertEquals(went.members, [group.self]);
  assertEquals(await group.members(), [group.self]);
});

Deno.test("leaving ends the stream after everything sent", async () => {
  const group = await joinFresh();
  const sending = [1, 2, 3].map((n) => group.send(text(String(n))));
  const leaving = group.leave();
  const seen: string[] = [];
  for await (const event of group) {
    if (event.type === "message") {
      seen.push(new TextDecoder().decode(event.data));
    }
    if (event.type === "membership" && event.left.length > 0) {
      assertEquals(event.left[0].reason, "leave");
      seen.push("left");
    }
  }
  assertEquals(seen, ["1", "2", "3", "left"]);
  await Promise.all([...sending, leaving]);
});

Deno.test("leaving does not need a reader, nor room for the unread", async () => {
  const group = await joinFresh({ highWaterMark: 1 });
  for (let i = 0; i < 100; i++) await group.send(pattern(1000, i));
  await within("leave", group.leave());
  assertEquals((await messages(group, 100))[99], pattern(1000, 99));
});

Deno.test("leaving inside the loop ends the loop", async () => {
  const group = await joinFresh();
  let events = 0;
  for await (const event of group) {
    events++;
    if (event.type === "membership") await group.leave();
  }
  assert(events >= 2);
});

Deno.test("a second leave or close does nothing", async () => {
  const left = await joinFresh();
  await Promise.all([left.leave(), left.leave()]);
  await left.leave();
  await left.close();
  const closed = await joinFresh();
  await Promise.all([closed.close(), closed.close()]);
  await closed.close();
  await closed.leave();
  await closed[Symbol.asyncDispose]();
});

Deno.test("after leaving or closing, every method throws the same error", async () => {
  const uses: [string, (group: Group) => unknown][] = [
    ["send", (group) => group.send(text("x"))],
    ["send parts", (group) => group.send([text("x")])],
    ["trySend", (group) => group.trySend(text("x"))],
    ["trySendAll", (group) => group.trySendAll([text("x")])],
    ["alloc", (group) => group.alloc(1)],
    ["members", (group) => group.members()],
  ];
  const left = await joinFresh();
  await left.leave();
  const closed = await joinFresh();
  await closed.close();
  for (const group of [left, closed]) {
    for (const [name, use] of uses) {
      const error = await assertRejects(
        // Inside an async function, what is thrown rejects.
        async () => await use(group),
        CpgError,
        "is closed",
        name,
      );
      assertEquals(error.code, "CS_ERR_BAD_HANDLE", name);
    }
    for await (const event of group) assert(event.type !== "message");
  }
});

Deno.test("closing rejects what is pending, and ends the reader", async () => {
  const group = await joinFresh();
  const reading = (async () => {
    for await (const _ of group);
    return "ended";
  })();
  const pending = [
    group.send(pattern(20_000_000)),
    group.send(text("behind it")),
    group.members(),
    group.alloc(100),
  ].map((promise) => assertRejects(() => promise, CpgError, "is closed"));
  await within("close", group.close());
  await Promise.all(pending);
  assertEquals(await reading, "ended");
});

Deno.test("one reader at a time; the next goes on where the last stopped", async () => {
  await using group = await joinFresh();
  await group.send(text("1"));
  await group.send(text("2"));
  const reader = group[Symbol.asyncIterator]();
  assertThrows(() => group[Symbol.asyncIterator](), TypeError, "twice");
  await reader.return!();
  assertEquals(await messages(group, 1), [text("1")]);
  assertEquals(await messages(group, 1), [text("2")]);
});

Deno.test("a read given up does not swallow the next event", async () => {
  await using group = await joinFresh();
  await eventWhere(group, "the ring", (event) => event.type === "ring");
  const reader = group[Symbol.asyncIterator]();
  const pending = reader.next();
  await reader.return!();
  assertEquals(await pending, { value: undefined, done: true });
  await group.send(text("kept"));
  assertEquals(await messages(group, 1), [text("kept")]);
});

Deno.test("an iterator that has returned takes nothing from the next one", async () => {
  await using group = await joinFresh();
  const first = group[Symbol.asyncIterator]();
  await first.return!();
  const second = group[Symbol.asyncIterator]();
  assertEquals(await first.next(), { value: undefined, done: true });
  // Nor does returning once more let in a third.
  await first.return!();
  assertThrows(() => group[Symbol.asyncIterator](), TypeError);
  assertEquals((await second.next()).value?.type, "membership");
  await second.return!();
});

Deno.test("a reader that stops pauses dispatching, and nothing is lost", async () => {
  await using group = await joinFresh({ highWaterMark: 10_000 });
  const count = 1000;
  const sending = (async () => {
    for (let i = 0; i < count; i++) await group.send(pattern(1000, i));
  })();
  const received = await messages(group, count);
  await sending;
  received.forEach((data, i) => assertEquals(data, pattern(1000, i)));
});

Deno.test("a reader that comes late gets everything", async () => {
  await using group = await joinFresh({ highWaterMark: 10_000 });
  for (let i = 0; i < 100; i++) await group.send(pattern(1000, i));
  // Turns of the event loop, for the inbox to fill.
  for (let i = 0; i < 20; i++) await group.members();
  const received = await messages(group, 100);
  received.forEach((data, i) => assertEquals(data, pattern(1000, i)));
});

Deno.test("requests at once do not disturb each other", async () => {
  await using group = await joinFresh();
  const done = await Promise.all(Array.from({ length: 50 }, async (_, i) => {
    const asking = group.members();
    const buffer = await group.alloc(1000 + i);
    buffer.bytes.set(pattern(1000 + i, i));
    await Promise.all([
      group.send(buffer),
      group.send(pattern(10)),
      group.members(),
    ]);
    await buffer.free();
    return asking;
  }));
  for (const members of done) assertEquals(members, [group.self]);
  const large = (await messages(group, 100))
    .filter((data) => data.length > 10)
    .toSorted((a, b) => a.length - b.length);
  assertEquals(large, large.map((_, i) => pattern(1000 + i, i)));
});

Deno.test("what comes up while others wait is served at once", async () => {
  await using first = await joinFresh();
  await eventWhere(first, "the ring", (event) => event.type === "ring");
  // A poll is under way now, which nothing but the second group can end.
  const second = await within("the second group", joinFresh(), 4_500);
  await within("its end", second.leave(), 4_500);
});

Deno.test("an aborted send rejects with the signal's reason", async () => {
  await using group = await joinFresh();
  const reason = new Error("enough");
  await assertRejects(
    () => group.send(text("x"), { signal: AbortSignal.abort(reason) }),
    Error,
    "enough",
  );
  const controller = new AbortController();
  const ahead = group.send(pattern(20_000_000));
  const aborted = assertRejects(
    () => group.send(text("never"), { signal: controller.signal }),
    Error,
    "enough",
  );
  controller.abort(reason);
  await aborted;
  await group.send(text("after"));
  await ahead;
  const [, after] = await messages(group, 2);
  assertEquals(after, text("after"));
});

Deno.test("what is not a message is refused before anything is sent", async () => {
  await using group = await joinFresh();
  for (const bad of ["text", 7, null, [text("x"), "y"], new ArrayBuffer(1)]) {
    await assertRejects(
      () => group.send(bad as unknown as Uint8Array),
      TypeError,
      "a message is a Uint8Array",
    );
  }
  await group.send(text("first"));
  assertEquals(await messages(group, 1), [text("first")]);
});

Deno.test("bytes transferred away before their turn are an error, not a message", async () => {
  await using group = await joinFresh();
  const ahead = group.send(pattern(3_000_000));
  const bytes = pattern(1000);
  const sending = assertRejects(
    () => group.send(bytes),
    TypeError,
    "transferred away",
  );
  structuredClone(bytes, { transfer: [bytes.buffer] });
  await Promise.all([sending, ahead]);
  await group.send(text("next"));
  assertEquals((await messages(group, 2))[1], text("next"));
});

Deno.test("two groups of one name in a process: a clear error", async () => {
  await using group = await joinFresh();
  const error = await assertRejects(() => join(group.name), CpgError);
  assertEquals(error.code, "CS_ERR_EXIST");
  assertEquals(error.value, 14);
  assertEquals(error.call, "cpg_join");
  assertStringIncludes(error.message, "already");
});

Deno.test("a group can be joined again as soon as it is left", async () => {
  const name = freshName();
  for (let i = 0; i < 5; i++) await (await join(name)).leave();
  for (let i = 0; i < 5; i++) await (await join(name)).close();
});

Deno.test("an error inside the loop leaves the group usable", async () => {
  await using group = await joinFresh();
  await assertRejects(
    async () => {
      for await (const _ of group) throw new Error("mine");
    },
    Error,
    "mine",
  );
  await group.send(text("still here"));
  assertEquals(await messages(group, 1), [text("still here")]);
});
