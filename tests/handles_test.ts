import { assertEquals } from "@std/assert";
import { groups } from "../mod.ts";
import { joinFresh } from "./support.ts";

Deno.test("handles made and dropped at once do not get in each other's way", async () => {
  const descriptors = () => [...Deno.readDirSync("/proc/self/fd")].length;
  const { length: count } = await Promise.all(
    Array.from({ length: 8 }, async () => await (await joinFresh()).leave()),
  );
  assertEquals(count, 8);
  const before = descriptors();
  for (let round = 0; round < 25; round++) {
    // Shifted, so that some leave while others join.
    await Promise.all(Array.from({ length: 40 }, async (_, i) => {
      await new Promise((resolve) => setTimeout(resolve, i % 10));
      const group = await joinFresh();
      if (i % 4 === 0) await Array.fromAsync(groups());
      await group.leave();
    }));
  }
  assertEquals(descriptors(), before);
});
