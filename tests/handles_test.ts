import { assertEquals } from "@std/assert";
import { groups } from "../mod.ts";
import { joinFresh } from "./support.ts";

Deno.test("handles made and dropped at once do not get in each other's way", async () => {
  const descriptors = () => [...Deno.readDirSync("/proc/self/fd")].length;
  let before = 0;
  for (let round = 0; round < 25; round++) {
    // A runtime may open what it needs itself in the first rounds.
    if (round === 5) before = descriptors();
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
