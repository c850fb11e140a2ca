import { assert, assertEquals, assertRejects } from "@std/assert";
import { CpgError, groups, join } from "../mod.ts";
import { freshName, joinFresh, script } from "./support.ts";

Deno.test("all groups are listed with their members, however they are named", async () => {
  const name = freshName();
  const names = [name, `${name}\0`, `${name}-€`];
  const joined = await Promise.all(names.map((name) => join(name)));
  const listed = (await Array.fromAsync(groups()))
    .filter((group) => group.name.startsWith(name));
  assertEquals(listed.map(({ name }) => name).sort(), names.toSorted());
  for (const { name, nameBytes, members } of listed) {
    assertEquals(nameBytes, new TextEncoder().encode(name));
    assertEquals(members, [joined[0].self]);
  }
  await Promise.all(joined.map((group) => group.leave()));
  const left = (await Array.fromAsync(groups()))
    .filter((group) => group.name.startsWith(name));
  assertEquals(left, []);
});

Deno.test("members of other processes are listed, too", async () => {
  await using group = await joinFresh();
  const program = `
    import { groups } from "@corosync/cpg";
    for await (const { name, members } of groups()) {
      if (name === ${JSON.stringify(group.name)}) {
        console.log(JSON.stringify(members));
      }
    }
  `;
  const { stdout, stderr } = await script(program);
  assertEquals(stderr, "");
  assertEquals(JSON.parse(stdout), [group.self]);
});

Deno.test("listing stops on a signal, and fails without a library", async () => {
  await assertRejects(
    () => groups({ signal: AbortSignal.abort(new Error("enough")) }).next(),
    Error,
    "enough",
  );
  const error = await assertRejects(
    () => groups({ library: "/nowhere.so" }).next(),
    CpgError,
  );
  assert(error.message.includes("/nowhere.so"));
});

Deno.test("two hundred groups in a process are served by one waiting thread", async () => {
  const before = [...Deno.readDirSync("/proc/self/task")].length;
  const joined = await Promise.all(
    Array.from({ length: 200 }, () => joinFresh()),
  );
  const confirmed = joined.map(async (group) => {
    const reading = (async () => {
      for await (const _ of group);
    })();
    await group.sendAndConfirm(new TextEncoder().encode(group.name));
    return reading;
  });
  await Promise.all(joined.map((group) => group.members()));
  const tasks = [...Deno.readDirSync("/proc/self/task")];
  // Deno has a pool of 32 threads for calls that wait.
  assert(tasks.length <= before + 32, `${tasks.length - before} threads more`);
  await Promise.all(joined.map((group) => group.leave()));
  await Promise.all(confirmed.map(async (reading) => await reading));
});
