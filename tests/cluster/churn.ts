/**
 * Joins a group and leaves it, so many times a second, for so many seconds.
 *
 *   churn.ts GROUP RATE SECONDS
 *
 * Prints a line for each time: the member lists that it saw, in their order.
 */
import { join } from "../../mod.ts";

const [name, rate, seconds] = Deno.args;
const times = Number(rate) * Number(seconds);
const start = performance.now();

for (let i = 0; i < times; i++) {
  const wait = start + i * 1_000 / Number(rate) - performance.now();
  if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
  const group = await join(name);
  const leaving = group.leave();
  const seen: string[] = [];
  for await (const event of group) {
    if (event.type !== "membership") continue;
    const { members } = event;
    seen.push(
      members.map(({ nodeId, pid }) => `${nodeId}:${pid}`).toSorted().join(),
    );
  }
  await leaving;
  console.log(seen.join(" "));
}
