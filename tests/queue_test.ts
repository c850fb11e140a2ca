/** First in, first out. */
import { assertEquals } from "@std/assert";
import { Queue } from "../queue.ts";

Deno.test("what is queued comes out in order, whatever goes in meanwhile", () => {
  const queue = new Queue<number>();
  let [pushed, taken] = [0, 0];
  for (const count of [1, 3, 5000, 2, 1023, 1024, 1025]) {
    for (let i = 0; i < count; i++) queue.push(pushed++);
    // Some are left each time, but for the last.
    const left = count === 1025 ? 0 : Math.min(count, 700);
    while (queue.length > left) {
      assertEquals(queue.first, taken);
      assertEquals(queue.shift(), taken++);
    }
    assertEquals(queue.length, pushed - taken);
    assertEquals(
      queue.values(),
      Array.from({ length: left }, (_, i) => taken + i),
    );
  }
  assertEquals([queue.first, queue.shift(), queue.length], [
    undefined,
    undefined,
    0,
  ]);
});
