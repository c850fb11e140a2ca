/** Groups of more members than the header of libcpg says there can be. */
import { assert, assertEquals } from "@std/assert";
import { join, type Member } from "../mod.ts";
import { testWithC } from "./c.ts";
import { crowd, FIRST_PID } from "./crowd.ts";
import { eventWhere, freshName, within } from "./support.ts";

const CROWD = 130;

function pids(members: readonly Member[]): number[] {
  return members.map(({ pid }) => pid).sort((a, b) => a - b);
}

testWithC("a group can have more than 128 members", async () => {
  const name = freshName();
  await using _crowd = await crowd(name, CROWD);
  for (const receiving of ["recorder", "callbacks"] as const) {
    await using group = await join(name, { receiving });
    const expected = [
      group.self.pid,
      ...Array.from({ length: CROWD }, (_, i) => FIRST_PID + i),
    ];
    assertEquals(pids(await group.members()), expected);
    const event = await eventWhere(
      group,
      "the crowd as members",
      (event) => event.type === "membership",
    );
    assert(event.type === "membership");
    assertEquals(pids(event.members), expected);
    await within("leaving", group.leave());
  }
});
