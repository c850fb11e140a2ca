/** Groups of more members than the header of libcpg says there can be. */
import { assert, assertEquals } from "@std/assert";
import { join, type Member } from "../mod.ts";
import { program, testWithC } from "./c.ts";
import { eventWhere, freshName, within } from "./support.ts";

const CROWD = 130;

function pids(members: readonly Member[]): number[] {
  return members.map(({ pid }) => pid).sort((a, b) => a - b);
}

testWithC("a group can have more than 128 members", async () => {
  await using crowd = await program("crowd.c", ["-rdynamic"]);
  for (const receiving of ["recorder", "callbacks"] as const) {
    const name = freshName();
    const process = new Deno.Command(crowd.path, {
      args: [name, String(CROWD)],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const output = process.stdout.getReader();
    try {
      await within("the crowd to join", output.read());
      await using group = await join(name, { receiving });
      const expected = [
        group.self.pid,
        ...Array.from({ length: CROWD }, (_, i) => 1_000_000 + i),
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
    } finally {
      await output.cancel();
      await process.stdin.close();
      await process.status;
    }
  }
});
