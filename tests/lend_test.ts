/** Messages that are only lent to their reader. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Group } from "../mod.ts";
import { eventWhere, joinFresh, pattern, text, within } from "./support.ts";

const lend = true;
const sizes = [
  ...[0, 1, 64, 1000, 4096, 16_383, 16_384],
  ...[100_000, 1_000_000, 1_030_000, 1_047_552],
];

/** Reads so many messages with a function. */
function each(
  group: Group,
  count: number,
  use: (data: Uint8Array<ArrayBuffer>, index: number) => void | Promise<void>,
): Promise<void> {
  return within(
    `${count} messages`,
    (async () => {
      let index = 0;
      for await (const event of group) {
        if (event.type !== "message") continue;
        await use(event.data, index);
        if (++index === count) return;
      }
    })(),
  );
}

Deno.test("lent messages of all sizes are whole and in order", async () => {
  await using group = await joinFresh({ lend });
  const sent = Array.from(
    { length: 200 },
    (_, i) => pattern(sizes[i % sizes.length], i),
  );
  const sending = Promise.all(sent.map((data) => group.send(data)));
  await each(group, sent.length, async (data, index) => {
    if (index % 3 === 0) await Promise.resolve();
    if (index % 20 === 0) await new Promise((resolve) => setTimeout(resolve));
    assertEquals(data, sent[index]);
  });
  await sending;
});

// A small one, and one that stays on the stack where libcpg has it.
for (const size of [1000, 20_000]) {
  Deno.test(`a lent message of ${size} bytes that is kept is empty, and never another`, async () => {
    await using group = await joinFresh({ lend });
    const count = 2000;
    const sending = (async () => {
      for (let i = 0; i < count; i++) await group.send(pattern(size, i));
    })();
    const kept: Uint8Array[] = [];
    const reading = each(group, count, (data, index) => {
      kept.push(data);
      const others = kept.findIndex(({ length, 0: first }, i) =>
        length > 0 && (length !== size || first !== (i & 0xff))
      );
      assertEquals(others, -1, `at message ${index}`);
    });
    await Promise.all([sending, reading]);
    const left = kept.filter((data) => data.length > 0);
    assert(left.length < count / 2, `${left.length} of ${count} are there`);
  });

  Deno.test(`a lent message of ${size} bytes stays while its reader waits for something else`, async () => {
    await using group = await joinFresh({ lend, highWaterMark: 1 });
    for (let i = 0; i < 20; i++) await group.send(pattern(size, i));
    await each(group, 20, async (data, index) => {
      // Calls go on, and so does what they wait for, while a message is lent.
      await group.members();
      assertEquals(data, pattern(size, index));
    });
  });

  Deno.test(`groups that lend ${size} bytes do not get into each other's way`, async () => {
    await using one = await joinFresh({ lend });
    await using two = await joinFresh({ lend });
    await using three = await joinFresh();
    const count = 500;
    await Promise.all([one, two, three].flatMap((group, seed) => [
      (async () => {
        for (let i = 0; i < count; i++) {
          await group.send(pattern(size, i + seed));
        }
      })(),
      each(group, count, async (data, index) => {
        await Promise.resolve();
        assertEquals(data, pattern(size, index + seed));
      }),
    ]));
  });

  Deno.test(`leaving takes no ${size} bytes away that were not read`, async () => {
    const group = await joinFresh({ lend });
    const count = 500;
    for (let i = 0; i < count; i++) await group.send(pattern(size, i));
    await each(group, 1, () => {});
    await group.leave();
    await each(group, count - 1, (data, index) => {
      assertEquals(data, pattern(size, index + 1));
    });
  });

  Deno.test(`leaving does not take ${size} bytes from who is at them`, async () => {
    const group = await joinFresh({ lend });
    const count = 200;
    for (let i = 0; i < count; i++) await group.send(pattern(size, i));
    await each(group, count, async (data, index) => {
      if (index === 0) await group.leave();
      assertEquals(data, pattern(size, index));
    });
  });
}

Deno.test("a lent message cannot be transferred away", async () => {
  await using group = await joinFresh({ lend });
  for (let i = 0; i < 3; i++) await group.send(pattern(100, i));
  await each(group, 3, (data, index) => {
    const { buffer } = data;
    assertThrows(() => structuredClone(data, { transfer: [buffer] }));
    assertEquals(data, pattern(100, index));
    assertEquals(structuredClone(data), data);
  });
});

Deno.test("a fragmented message is the reader's own all the same", async () => {
  await using group = await joinFresh({ lend });
  const large = pattern(3_000_000);
  await group.send(large);
  for (let i = 0; i < 10; i++) await group.send(pattern(1000, i));
  let kept = new Uint8Array();
  await each(group, 11, (data, index) => {
    if (index === 0) kept = data;
    else assertEquals(data, pattern(1000, index - 1));
  });
  assertEquals(kept, large);
});

Deno.test("what was lent is there for the next reader", async () => {
  await using group = await joinFresh({ lend });
  const count = 100;
  for (let i = 0; i < count; i++) await group.send(pattern(1000, i));
  for (let i = 0; i < count; i++) {
    await each(group, 1, (data) => assertEquals(data, pattern(1000, i)));
  }
});

Deno.test("receiving by callbacks, messages are the reader's own", async () => {
  await using group = await joinFresh({ lend, receiving: "callbacks" });
  await group.send(text("kept"));
  await group.send(text("last"));
  const kept: Uint8Array[] = [];
  await each(group, 2, (data) => void kept.push(data));
  assertEquals(kept, [text("kept"), text("last")]);
});

Deno.test("where there is no memory to lend, they are the reader's own", async () => {
  // Where address space is short, and where there is no WebAssembly at all.
  const { WebAssembly: original } = globalThis as unknown as {
    WebAssembly?: unknown;
  };
  Object.assign(globalThis, { WebAssembly: undefined });
  const joining = joinFresh({ lend });
  await using group = await joining.finally(() =>
    Object.assign(globalThis, { WebAssembly: original })
  );
  const kept: Uint8Array[] = [];
  await group.send(text("kept"));
  const first = each(group, 1, (data) => void kept.push(data));
  await first;
  await group.send(text("last"));
  await each(group, 1, (data) => void kept.push(data));
  assertEquals(kept, [text("kept"), text("last")]);
});

Deno.test("a stream of lent messages ends as any", async () => {
  const group = await joinFresh({ lend });
  await eventWhere(group, "its arrival", ({ type }) => type === "membership");
  const ended = Array.fromAsync(group);
  await group.leave();
  const types = (await ended).map(({ type }) => type);
  assertEquals(types.at(-1), "membership");
});
