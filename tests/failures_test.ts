/** That failures below the library come out as what they are. */
import { assertEquals, assertRejects } from "@std/assert";
import { CpgError } from "../mod.ts";
import { testWithC, variant } from "./c.ts";
import { joinFresh, pattern, text, within } from "./support.ts";

testWithC("a message that there is no memory for ends the stream", async () => {
  await using library = await variant("malloc_refuses.c");
  const group = await joinFresh({ library: library.path });
  await group.send(text("before"));
  // It may come back before it counts as sent.
  const sending = group.send(pattern(3_000_000)).catch(() => {});
  const read: string[] = [];
  const reading = (async () => {
    for await (const { type } of group) read.push(type);
  })();
  const error = await within(
    "the end of the stream",
    assertRejects(() => reading, CpgError),
  );
  assertEquals(error.code, "CS_ERR_NO_MEMORY");
  assertEquals(read.at(-1), "message");
  await sending;
  await within("close", group.close());
});

testWithC("fragments that libcpg loses do not count as sent", async () => {
  await using library = await variant("fragments_lost.c");
  const group = await joinFresh({ library: library.path });
  const error = await assertRejects(
    () => group.send(pattern(3_000_000)),
    CpgError,
  );
  assertEquals(error.delivery, "unknown");
  await group.close();
});
