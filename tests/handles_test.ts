import { groups } from "../mod.ts";
import { descriptors, joinFresh, noMoreThan, until } from "./support.ts";

Deno.test("handles made and dropped at once do not get in each other's way", async () => {
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
  await until("them to be closed", () => noMoreThan(before));
});
