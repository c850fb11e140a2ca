import { assert, assertEquals, assertRejects } from "@std/assert";
import { CpgError, ZeroCopyBuffer } from "../mod.ts";
import { checkFreed, joinFresh, messages, pattern, text } from "./support.ts";

Deno.test("a buffer is filled through its view, sent, changed and sent again", async () => {
  await using group = await joinFresh();
  const buffer = await group.alloc(1_000_000);
  assert(buffer instanceof ZeroCopyBuffer);
  assertEquals(buffer.size, 1_000_000);
  assertEquals(buffer.bytes.length, 1_000_000);
  buffer.bytes.set(pattern(1_000_000, 1));
  await group.send(buffer);
  buffer.bytes.set(pattern(1_000_000, 2));
  await group.send(buffer);
  await group.send(buffer, { length: 3 });
  await group.send(buffer, { length: 0 });
  const received = await messages(group, 4);
  assertEquals(received[0], pattern(1_000_000, 1));
  assertEquals(received[1], pattern(1_000_000, 2));
  assertEquals(received[2], pattern(3, 2));
  assertEquals(received[3], new Uint8Array());
  await buffer.free();
});

Deno.test("sends of buffers and of bytes keep their order", async () => {
  await using group = await joinFresh();
  using buffer = await group.alloc(10);
  buffer.bytes.set(text("b"));
  const sending = [
    group.send(text("1")),
    group.send(buffer, { length: 1 }),
    group.send(text("2")),
    group.send(pattern(2_000_000)),
    group.send(buffer, { length: 1 }),
    group.send(text("3")),
  ];
  const lengths = (await messages(group, 6)).map((data) =>
    data.length > 1 ? "large" : new TextDecoder().decode(data)
  );
  assertEquals(lengths, ["1", "b", "2", "large", "b", "3"]);
  await Promise.all(sending);
});

Deno.test("a length or an offset outside the buffer is refused", async () => {
  await using group = await joinFresh();
  using buffer = await group.alloc(100);
  for (const length of [101, -1, 1.5, NaN, 1_000_000, Infinity]) {
    await assertRejects(
      () => group.send(buffer, { length }),
      RangeError,
      "the buffer of 100 bytes",
    );
    await assertRejects(
      () => group.send(buffer, { offset: length }),
      RangeError,
      "the buffer of 100 bytes",
    );
  }
  await assertRejects(
    () => group.send(buffer, { offset: 99, length: 2 }),
    RangeError,
    "2 bytes from 99 on",
  );
  await group.send(text("first"));
  assertEquals(await messages(group, 1), [text("first")]);
});

Deno.test("offset and length are not for bytes", async () => {
  await using group = await joinFresh();
  const send = group.send as (data: Uint8Array, part: object) => Promise<void>;
  for (const part of [{ offset: 1 }, { length: 1 }]) {
    for (const call of [send, group.sendAndConfirm as typeof send]) {
      const sending = call.call(group, text("abc"), part);
      await assertRejects(() => sending, TypeError, "subarray");
    }
  }
  await group.send(text("first"));
  assertEquals(await messages(group, 1), [text("first")]);
});

Deno.test("a size that no buffer has is refused", async () => {
  await using group = await joinFresh();
  for (const size of [0, -1, 1.5, NaN, 2 ** 31, 2 ** 53, Infinity]) {
    await assertRejects(() => group.alloc(size), RangeError, `${size} bytes`);
  }
});

Deno.test("a freed buffer, and another group's, are not sent", async () => {
  await using group = await joinFresh();
  await using other = await joinFresh();
  using foreign = await other.alloc(10);
  await assertRejects(
    () => group.send(foreign),
    TypeError,
    "another group allocated it",
  );
  const freed = await group.alloc(10);
  await freed.free();
  await assertRejects(() => group.send(freed), TypeError, "it is freed");
  await group.send(text("first"));
  assertEquals(await messages(group, 1), [text("first")]);
});

Deno.test("freeing empties every view, and doing it again does nothing", async () => {
  await using group = await joinFresh();
  const buffer = await group.alloc(5000);
  const part = buffer.bytes.subarray(10, 20);
  await Promise.all([buffer.free(), buffer.free()]);
  await buffer.free();
  await buffer[Symbol.asyncDispose]();
  assertEquals(buffer.bytes.length, 0);
  checkFreed(part);
});

Deno.test("leaving and closing free the buffers", async () => {
  const left = await joinFresh();
  const closed = await joinFresh();
  const buffers = [await left.alloc(10), await closed.alloc(10)];
  await Promise.all([left.leave(), closed.close()]);
  for (const [i, group] of [left, closed].entries()) {
    assertEquals(buffers[i].bytes.length, 0);
    await buffers[i].free();
    await assertRejects(() => group.send(buffers[i]), CpgError, "is closed");
  }
});
