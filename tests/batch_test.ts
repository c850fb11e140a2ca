/** Sending several messages at once. */
import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import { stub } from "@std/testing/mock";
import { CsError } from "../ffi.ts";
import { openLibcpg } from "../libcpg.ts";
import { CpgError, type Group } from "../mod.ts";
import { Sender } from "../sender.ts";
import { node } from "./daemon.ts";
import { joinFresh, messages, pattern, text, until } from "./support.ts";

/** Sends all, waiting where corosync does not take them at once. */
async function sendAll(group: Group, all: Uint8Array[]): Promise<void> {
  for (let sent = 0; sent < all.length;) {
    const count = group.trySendAll(all.slice(sent));
    sent += count;
    if (count === 0) await group.send(all[sent++]);
  }
}

/** Sizes on both sides of each limit, and more of them than go in one call. */
const sizes = [
  ...[0, 1, 63, 4_095, 4_096, 4_097, 0, 65_536, 1_000_000, 1_047_552, 5],
  ...Array.from({ length: 200 }, (_, i) => i * 37 % 5_000),
];

for (
  const [name, make] of [
    ["machine code", undefined],
    ["a call for each", () => new Sender(openLibcpg())],
  ] as const
) {
  Deno.test(`trySendAll sends messages of every size, by ${name}`, async () => {
    using _sender = make && stub(Sender, "of", make);
    await using group = await joinFresh();
    const all = sizes.map((size, i) => pattern(size + i, i).subarray(i));
    const reading = messages(group, all.length);
    await sendAll(group, all);
    const received = await reading;
    received.forEach((data, i) => assertEquals(data, all[i].slice(), `${i}`));
  });
}

Deno.test("trySendAll says how many messages corosync has taken", async () => {
  await using group = await joinFresh();
  const all = Array.from({ length: 100 }, (_, i) => pattern(1_000_000, i));
  const sent = group.trySendAll(all);
  assert(sent > 0 && sent < 100, `${sent} were sent`);
  const marker = group.send(text("next"));
  const received = await messages(group, sent + 1);
  await marker;
  assertEquals(received, [...all.slice(0, sent), text("next")]);
  assertEquals(group.trySendAll([]), 0);
});

Deno.test("trySendAll sends nothing of what it cannot send at once", async () => {
  await using group = await joinFresh();
  const good = text("good");
  const holes = [good, ...new Array(1), good];
  delete holes[1];
  const lists = [
    "text",
    [1],
    [good, "text"],
    good,
    [good, [good]],
    null,
    holes,
  ];
  for (const bad of lists) {
    assertThrows(
      () => group.trySendAll(bad as unknown as Uint8Array[]),
      TypeError,
      "array of Uint8Arrays",
    );
  }
  const gone = text("gone");
  structuredClone(gone, { transfer: [gone.buffer] });
  const many = Array.from({ length: 80 }, () => good);
  assertThrows(
    () => group.trySendAll([...many, gone]),
    TypeError,
    "transferred away",
  );
  assertThrows(
    () => group.trySendAll([good, pattern(1_047_553)]),
    RangeError,
    "use send",
  );
  await group.send(text("next"));
  assertEquals(await messages(group, 1), [text("next")]);
});

Deno.test("trySendAll goes behind no send that waits", async () => {
  await using group = await joinFresh();
  let waiting: Promise<void>;
  {
    using _refusing = stub(
      openLibcpg().calls,
      "cpg_mcast_joined",
      () => CsError.CS_ERR_TRY_AGAIN,
    );
    waiting = group.send(text("first"));
    assertEquals(group.trySendAll([text("one"), text("two")]), 0);
  }
  assertEquals(await messages(group, 1), [text("first")]);
  await waiting;
});

Deno.test("trySendAll looks whether there is room as often as other sends do", async () => {
  await using group = await joinFresh();
  await using another = await joinFresh();
  const most: number[] = [];
  using _send = stub(
    Sender.prototype,
    "send",
    (_handle, _all, _from, count) => {
      most.push(count);
      return { count, result: CsError.CS_OK };
    },
  );
  const all = Array.from({ length: 100 }, () => text("x"));
  assert(another.trySendAll(all) >= 100);
  const [atFirst] = most.splice(0);
  for (let i = 0; i < 40; i++) await group.send(text("x"));
  assert(group.trySendAll(all) >= 100);
  assertLess(most[0], atFirst - 39);
});

Deno.test("what trySendAll sends counts for what is confirmed after it", async () => {
  await using group = await joinFresh();
  let read = 0;
  const reading = (async () => {
    for await (const event of group) {
      if (event.type === "message" && ++read === 4) return;
    }
  })();
  assertEquals(group.trySendAll(["a", "b", "c"].map(text)), 3);
  const confirmed = group.sendAndConfirm(text("d")).then(() => read);
  await reading;
  // The last is processed when the loop has ended.
  assertEquals(await confirmed, 4);
});

Deno.test("an error behind messages that were taken waits for the next call", async () => {
  await using group = await joinFresh();
  const all = ["a", "b", "c"].map(text);
  const outcomes = [
    { count: 2, result: CsError.CS_ERR_INVALID_PARAM },
    { count: 0, result: CsError.CS_ERR_INVALID_PARAM },
  ];
  using _send = stub(Sender.prototype, "send", () => outcomes.shift()!);
  assertEquals(group.trySendAll(all), 2);
  const error = assertThrows(() => group.trySendAll(all.slice(2)), CpgError);
  assertEquals(error.code, "CS_ERR_INVALID_PARAM");
});

Deno.test("a daemon that is lost is an error whatever was sent before", async () => {
  await using group = await joinFresh();
  using _send = stub(
    Sender.prototype,
    "send",
    () => ({ count: 1, result: CsError.CS_ERR_LIBRARY }),
  );
  const error = assertThrows(
    () => group.trySendAll([text("a"), text("b")]),
    CpgError,
  );
  assertEquals(error.delivery, "unknown");
});

Deno.test("an array cannot have C read more than it has", async () => {
  await using group = await joinFresh();
  for (const size of [10, 10_000]) {
    for (const length of [-1, 1, size + 1, 1_047_552, NaN]) {
      const bytes = pattern(size);
      Object.defineProperty(bytes, "length", { value: length });
      assertEquals(group.trySendAll([bytes]), 1);
      await group.send(bytes);
      await group.send([bytes]);
      for (const data of await messages(group, 3)) {
        assertEquals(data, pattern(size));
      }
    }
  }
});

Deno.test("trySendAll sends no more than a stopped daemon has room for", async () => {
  await using group = await joinFresh();
  const all = Array.from({ length: 1_000 }, (_, i) => text(`${i}`));
  let sent = 0;
  try {
    await node.freeze();
    // libqb would spin without end.
    for (let count; (count = group.trySendAll(all.slice(sent))); sent += count);
    assertLess(sent, 300);
  } finally {
    await node.thaw();
  }
  await until("room for more", () => group.trySendAll([text("next")]) === 1);
  assertEquals(
    await messages(group, sent + 1),
    [...all.slice(0, sent), text("next")],
  );
});
