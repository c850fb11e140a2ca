import { Buffer } from "node:buffer";
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { CpgError, join } from "../mod.ts";
import { library, testWithC, variant } from "./c.ts";
import {
  denoTest,
  ffiOnly,
  freshName,
  joinFresh,
  run,
  script,
  within,
} from "./support.ts";

Deno.test("an empty name, and one of more than 128 bytes, are refused", async () => {
  await assertRejects(() => join(""), RangeError, "empty (0 bytes)");
  await assertRejects(
    () => join("x".repeat(129)),
    RangeError,
    "has 129 bytes",
  );
  // 43 characters of 3 bytes each.
  await assertRejects(() => join("€".repeat(43)), RangeError, "129 bytes");
});

Deno.test("names of 1 and of 128 bytes, in any script, are groups", async () => {
  const longest = freshName().padEnd(128, "x");
  for (const name of ["n", longest, `${freshName()}-€-数`]) {
    const group = await join(name);
    assertEquals(group.name, name);
    assertEquals(await group.members(), [group.self]);
    await group.leave();
  }
});

Deno.test("the length is part of the name: a NUL more is another group", async () => {
  const name = freshName();
  await using plain = await join(name);
  await using terminated = await join(`${name}\0`);
  await using bytes = await join(new Uint8Array([255, 0, 1]));
  assertEquals(await plain.members(), [plain.self]);
  assertEquals(await terminated.members(), [terminated.self]);
  assertEquals(await bytes.members(), [bytes.self]);
});

Deno.test("a name that is changed later is as it was", async () => {
  const name = Buffer.from(freshName());
  const group = await join(name);
  name.fill(120);
  assertEquals(await group.members(), [group.self]);
  await within("leave", group.leave());
});

Deno.test("a high-water mark that is none is refused", async () => {
  for (const highWaterMark of [0, -1, NaN, "1" as unknown as number]) {
    await assertRejects(
      () => joinFresh({ highWaterMark }),
      RangeError,
      "high-water mark",
    );
  }
});

Deno.test("what is no name, and no way of receiving, is refused", async () => {
  const nothing = undefined as unknown as string;
  const half = "\ud800";
  for (const name of [nothing, 5, ["a"], half] as string[]) {
    await assertRejects(() => join(name), TypeError, "name");
  }
  const receiving = "pigeon" as "recorder";
  await assertRejects(() => joinFresh({ receiving }), TypeError, "pigeon");
});

Deno.test("without the library: what was tried, and how to install it", async () => {
  const error = await assertRejects(
    () => joinFresh({ library: "/no/libcpg.so.4" }),
    CpgError,
  );
  assertEquals(error.code, "CS_ERR_LIBRARY");
  assertEquals(error.call, "dlopen");
  assertStringIncludes(error.message, "the library option");
  assertStringIncludes(error.message, "/no/libcpg.so.4: ");
  assertStringIncludes(error.message, "apt install libcpg4");
});

Deno.test("a library that is not libcpg is refused by name", async () => {
  const error = await assertRejects(
    () => joinFresh({ library: "libc.so.6" }),
    CpgError,
  );
  assertStringIncludes(error.message, "libc.so.6: ");
  assertStringIncludes(error.message, "undefined symbol: cpg_");
});

const joinAndSay = `
  import { join } from "@corosync/cpg";
  try {
    await (await join("x")).leave();
  } catch (error) {
    console.log(error.name + ": " + error.message);
  }
`;

Deno.test("CPG_LIBRARY names the library", async () => {
  const env = { CPG_LIBRARY: "/no/such.so" };
  const told = await script(joinAndSay, { env });
  assertStringIncludes(told.stdout, "CPG_LIBRARY did not give it");
  assertStringIncludes(told.stdout, "/no/such.so: ");
});

denoTest("CPG_LIBRARY is left alone where it may not be read", async () => {
  const unread = await script(joinAndSay, {
    env: { CPG_LIBRARY: "/no/such.so" },
    args: ["run", "--quiet", "--no-prompt", "--allow-ffi"],
  });
  assertEquals([unread.stdout, unread.stderr], ["", ""]);
});

denoTest("without --allow-ffi Deno's own error comes through", async () => {
  const outcome = await script(joinAndSay, {
    args: ["run", "--quiet", "--no-prompt"],
  });
  assertStringIncludes(outcome.stdout, "NotCapable: Requires ffi access");
});

Deno.test("without a daemon: how to start it", async () => {
  // A network namespace of its own has no daemon in it.
  const probe = await run("unshare", ["-n", "true"]);
  if (probe.code !== 0) {
    console.log(`Skipped: no network namespace here (${probe.stderr.trim()})`);
    return;
  }
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  const mod = new URL("../mod.ts", import.meta.url).href;
  await Deno.writeTextFile(file, joinAndSay.replace("@corosync/cpg", mod));
  const outcome = await run("unshare", [
    "-n",
    Deno.execPath(),
    ...ffiOnly,
    file,
  ]);
  await Deno.remove(file);
  assertStringIncludes(
    outcome.stdout,
    'CpgError: Cannot join group "x": cpg_model_initialize says CS_ERR_LIBRARY (2)',
  );
  assertStringIncludes(outcome.stdout, "systemctl start corosync");
});

testWithC("where the daemon refuses this user: how to be allowed", async () => {
  await using refusing = await library("refusing.c");
  const error = await assertRejects(
    () => join("x", { library: refusing.path }),
    CpgError,
  );
  assertEquals(error.code, "CS_ERR_ACCESS");
  assertStringIncludes(error.message, "uidgid");
});

Deno.test("joining stops on an abort signal, and leaves nothing behind", async () => {
  const name = freshName();
  await assertRejects(
    () => join(name, { signal: AbortSignal.abort(new Error("before")) }),
    Error,
    "before",
  );
  const controller = new AbortController();
  const joining = assertRejects(
    () => join(name, { signal: controller.signal }),
    Error,
    "meanwhile",
  );
  controller.abort(new Error("meanwhile"));
  await joining;
  await (await join(name)).leave();
});

testWithC("groups joined at once are connected one by one", async () => {
  await using connecting = await variant("connect_alone.c");
  const groups = await Promise.all(
    Array.from({ length: 5 }, () => joinFresh({ library: connecting.path })),
  );
  await Promise.all(groups.map((group) => group.leave()));
});
