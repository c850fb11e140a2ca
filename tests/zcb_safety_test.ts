import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { CpgError, type ZeroCopyBuffer } from "../mod.ts";
import { CorosyncNode } from "../testing/mod.ts";
import { FOLDER, free, withRoom, zeroCopyFiles, zeroCopyMaps } from "./shm.ts";
import {
  checkFreed,
  descriptors,
  detaches,
  eventWhere,
  joinFresh,
  messages,
  noMoreThan,
  onDeno,
  pattern,
  run,
  script,
  text,
  until,
} from "./support.ts";

/** How many buffers are forgotten in all. */
const FORGOTTEN = onDeno ? 100_000 : 50_000;

Deno.test("an allocation larger than /dev/shm is refused with what is free", async () => {
  await using group = await joinFresh();
  await withRoom(64e6, async () => {
    const before = zeroCopyFiles();
    const error = await assertRejects(() => group.alloc(200_000_000), CpgError);
    assertEquals(error.code, "CS_ERR_NO_SPACE");
    assertStringIncludes(
      error.message,
      `/dev/shm has ${await free()} bytes`,
    );
    assertEquals(zeroCopyFiles(), before);
    using fits = await group.alloc(1_000_000);
    await group.send(fits);
    assertEquals((await messages(group, 1))[0].length, 1_000_000);
  });
});

Deno.test("a nearly full /dev/shm refuses, and serves again once there is room", async () => {
  await using group = await joinFresh();
  await withRoom(64e6, async () => {
    const ballast = `${FOLDER}/ballast-${Deno.pid}`;
    const size = String(await free() - 1_000_000);
    await run("fallocate", ["-l", size, ballast]);
    try {
      for (let i = 0; i < 20; i++) {
        await assertRejects(() => group.alloc(1_000_000), CpgError, "free");
      }
      using small = await group.alloc(500_000);
      small.bytes.fill(1);
    } finally {
      await Deno.remove(ballast);
    }
    using buffer = await group.alloc(1_000_000);
    buffer.bytes.fill(1);
  });
});

Deno.test("two groups that allocate at once do not take the same room", async () => {
  await withRoom(64e6, async () => {
    const outcome = await script(`
      import { join } from "@corosync/cpg";
      const groups = await Promise.all(
        [1, 2].map((i) => join(\`twins-\${Deno.pid}-\${i}\`)),
      );
      const outcomes = await Promise.all(
        groups.map((group) =>
          group.alloc(35_000_000).then(() => "ok", ({ code }) => code)
        ),
      );
      console.log(outcomes.sort().join());
      await Promise.all(groups.map((group) => group.leave()));
    `);
    assertEquals(outcome.stdout, "CS_ERR_NO_SPACE,ok\n", outcome.stderr);
  });
});

Deno.test("without a descriptor, or memory to map, an allocation is refused", async () => {
  const program = (limit: string) => `
    import { join } from "@corosync/cpg";
    const group = await join("limits-" + Deno.pid);
    const pid = String(Deno.pid);
    const limited = (soft: string) => new Deno.Command("prlimit", {
      args: ["--pid", pid, ${JSON.stringify(limit)} + soft + ":"],
    }).outputSync();
    const held: Deno.FsFile[] = [];
    ${
    limit === "--nofile="
      ? `limited("100");
    // Bun closes what a command has had a moment later.
    for (let i = 0; i < 5; i++) {
      try { for (;;) held.push(Deno.openSync("/dev/null")); } catch { /* full */ }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }`
      : `limited("1");`
  }
    const refused = await group.alloc(1000).catch((error) => error);
    held.forEach((file) => file.close());
    limited("unlimited".repeat(+(${
    JSON.stringify(limit)
  } !== "--nofile=")) || "1000");
    console.log(refused.code);
    const buffer = await group.alloc(1000);
    await group.send(buffer);
    await group.leave();
    console.log("recovered");
  `;
  for (
    const [limit, code] of [
      ["--nofile=", "CS_ERR_NO_RESOURCES"],
      ["--fsize=", "CS_ERR_NO_SPACE"],
    ]
  ) {
    const outcome = await script(program(limit), { args: ["run", "-A"] });
    assertEquals(outcome, {
      code: 0,
      signal: null,
      stdout: `${code}\nrecovered\n`,
      stderr: "",
    }, limit);
  }
});

Deno.test("buffers of every size work, and are sent whole", async () => {
  await using group = await joinFresh();
  const atomic = 1_047_552;
  const sizes = [1, 4040, 4041, atomic, atomic + 1, 1_048_350, 1_048_576];
  for (const size of [...sizes, 5 * 2 ** 20, 10 * 2 ** 20]) {
    const buffer = await group.alloc(size);
    buffer.bytes.set(pattern(size, size));
    const sending = group.send(buffer);
    assertEquals(await messages(group, 1), [pattern(size, size)]);
    await sending;
    await buffer.free();
  }
});

Deno.test("a part from the middle is sent, too", async () => {
  await using group = await joinFresh();
  using buffer = await group.alloc(3_000_000);
  buffer.bytes.set(pattern(3_000_000));
  await group.send(buffer, { offset: 10, length: 20 });
  await group.send(buffer, { offset: 2_999_999 });
  const sending = group.send(buffer, { offset: 1 });
  const [middle, last, most] = await messages(group, 3);
  await sending;
  assertEquals(middle, pattern(3_000_000).slice(10, 30));
  assertEquals(last, pattern(3_000_000).slice(-1));
  assertEquals(most, pattern(3_000_000).slice(1));
});

Deno.test("a view survives leaving and closing as an empty one", async () => {
  const left = await joinFresh();
  const closed = await joinFresh();
  for (
    const [group, end] of [
      [left, () => left.leave()],
      [closed, () => closed.close()],
    ] as const
  ) {
    const buffer = await group.alloc(5000);
    const view = new DataView(buffer.bytes.buffer, 10, 4);
    const { bytes } = buffer;
    await end();
    assertEquals(buffer.bytes.length, 0);
    checkFreed(bytes);
    if (!detaches) continue;
    let thrown: unknown;
    try {
      view.getUint8(0);
    } catch (error) {
      thrown = error;
    }
    assert(thrown instanceof TypeError);
  }
});

Deno.test("memory that was transferred away is never unmapped under its new owner", async () => {
  await using group = await joinFresh();
  const port = new MessageChannel();
  const arrived = new Promise<Uint8Array>((resolve) => {
    port.port2.onmessage = (event) => resolve(event.data);
  });
  type Way = (buffer: ZeroCopyBuffer) => Uint8Array | Promise<Uint8Array>;
  const ways: Way[] = detaches
    ? [({ bytes }) => new Uint8Array(bytes.buffer.transfer())]
    : [];
  // Elsewhere such memory cannot be transferred from thread to thread.
  if (onDeno) {
    ways.push(
      ({ bytes }) => structuredClone(bytes, { transfer: [bytes.buffer] }),
      ({ bytes }) => {
        port.port1.postMessage(bytes, [bytes.buffer]);
        return arrived;
      },
    );
  }
  for (const away of ways) {
    const buffer = await group.alloc(100_000);
    buffer.bytes.set(pattern(100_000));
    const moved = await away(buffer);
    assertEquals(buffer.bytes.length, 0);
    await assertRejects(
      () => group.send(buffer),
      TypeError,
      "transferred away",
    );
    await buffer.free();
    // Reading or writing unmapped memory would end the process.
    assertEquals(moved, pattern(100_000));
    moved.fill(1);
  }
  port.port1.close();
  port.port2.close();
  await group.send(text("still here"));
  assertEquals(await messages(group, 1), [text("still here")]);
});

Deno.test("freeing waits for the sends of the buffer", async () => {
  await using group = await joinFresh();
  const buffer = await group.alloc(1_000_000);
  buffer.bytes.set(pattern(1_000_000));
  const ahead = group.send(pattern(5_000_000));
  const sending = [group.send(buffer), group.send(buffer)];
  const freeing = buffer.free();
  assertEquals(buffer.bytes.length, 0);
  const received = await messages(group, 3);
  assertEquals(received[1], pattern(1_000_000));
  assertEquals(received[2], pattern(1_000_000));
  await Promise.all([ahead, ...sending, freeing]);
});

Deno.test("closing with buffers and sends outstanding frees them", async () => {
  const before = zeroCopyMaps().length;
  const group = await joinFresh();
  const buffers = await Promise.all(
    Array.from({ length: 10 }, () => group.alloc(1_000_000)),
  );
  const sends = buffers.map((buffer) => group.send(buffer).catch(() => {}));
  const late = group.alloc(1_000_000).catch(() => {});
  await group.close();
  await Promise.all([...sends, late]);
  if (detaches) assertEquals(zeroCopyMaps().length, before);
  assertEquals(zeroCopyFiles(), []);
  const daemon = CorosyncNode.ambient().pid!;
  await until("the daemon to let go", () => zeroCopyMaps(daemon).length === 0);
});

Deno.test("closing while an allocation is under way frees it", async () => {
  const before = zeroCopyMaps().length;
  for (let i = 0; i < 20; i++) {
    const group = await joinFresh();
    const late = group.alloc(100_000).catch(() => {});
    await group.close();
    await late;
  }
  if (detaches) assertEquals(zeroCopyMaps().length, before);
});

Deno.test("forgotten buffers go when they are collected", async () => {
  // In a process of its own, whose memory is its own, too.
  const outcome = await script(
    `
    import { type Group, join } from "@corosync/cpg";
    const count = (path: string) => [...Deno.readDirSync(path)].length;
    const maps = (process: string) =>
      Deno.readTextFileSync(\`/proc/\${process}/maps\`)
        .split("\\n").filter((line) => line.includes("corosync_zerocopy-")).length;
    const groups: Group[] = [];
    for (let i = 0; i < 4; i++) groups.push(await join(\`forgotten-\${Deno.pid}-\${i}\`));
    async function forget(group: Group, total: number) {
      for (let i = 0; i < total; i++) {
        const buffer = await group.alloc(1000);
        buffer.bytes[0] = i;
        if (i % 1000 === 0) await group.send(buffer);
      }
    }
    async function forgetAll(total: number) {
      await Promise.all(groups.map((group) => forget(group, total / groups.length)));
      // As long as they become fewer.
      let [fewest, deadline] = [Infinity, 0];
      for (let left = maps("self"); left > 0; left = maps("self")) {
        if (left < fewest) [fewest, deadline] = [left, Date.now() + 20_000];
        if (Date.now() > deadline) break;
        gc();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      const { rss, heapTotal, heapUsed } = Deno.memoryUsage();
      return {
        maps: maps("self"),
        daemonMaps: maps(Deno.args[0]),
        files: count("/dev/shm"),
        descriptors: count("/proc/self/fd"),
        // How much more the collector keeps for later is its own affair.
        memory: rss - heapTotal + heapUsed,
      };
    }
    for (const group of groups) (async () => { for await (const _ of group); })();
    const before = await forgetAll(${FORGOTTEN / 5});
    const after = await forgetAll(${FORGOTTEN / 5 * 4});
    console.log(JSON.stringify({ before, after }));
    await Promise.all(groups.map((group) => group.leave()));
  `,
    {
      args: ["run", "-A", "--v8-flags=--expose-gc", "--no-check"],
      extra: [String(CorosyncNode.ambient().pid)],
    },
  );
  assertEquals(outcome.stderr, "");
  const { before, after } = JSON.parse(outcome.stdout);
  const grown = after.memory - before.memory;
  assertEquals({ ...after, memory: 0 }, { ...before, memory: 0 });
  assertEquals([after.maps, after.daemonMaps], [0, 0]);
  // Not freed, a buffer is a page: they would be 320 MB, or 160 MB.
  assert(grown < 100e6, `${grown} bytes more`);
});

Deno.test("too many buffers at once are refused, before the daemon has no more maps", async () => {
  const before = zeroCopyMaps().length;
  const group = await joinFresh();
  const held: ZeroCopyBuffer[] = [];
  const error = await assertRejects(async () => {
    for (;;) held.push(await group.alloc(1));
  }, CpgError);
  assertEquals(error.code, "CS_ERR_NO_RESOURCES");
  assertStringIncludes(error.message, "free some");
  await held.pop()!.free();
  held.push(await group.alloc(1));
  await group.close();
  if (detaches) assertEquals(zeroCopyMaps().length, before);
});

Deno.test("freeing waits out TRY_AGAIN", async () => {
  const daemon = CorosyncNode.ambient().pid!;
  await using group = await joinFresh();
  const buffers = await Promise.all(
    Array.from({ length: 20 }, () => group.alloc(5000)),
  );
  assertEquals(zeroCopyMaps(daemon).length, 20);
  // A flood turns flow control on again and again.
  const flood = Array.from({ length: 300 }, () => group.send(pattern(100_000)));
  const reading = messages(group, flood.length);
  await Promise.all(buffers.map((buffer) => buffer.free()));
  await Promise.all([...flood, reading]);
  assertEquals(zeroCopyMaps(daemon).length, 0);
});

Deno.test("descriptors stay where they were", async () => {
  const group = await joinFresh();
  // Bun has one more while a thread is at work.
  await eventWhere(group, "the ring", (event) => event.type === "ring");
  const use = async () => await (await group.alloc(5000)).free();
  await use();
  const before = descriptors();
  for (let i = 0; i < 200; i++) await use();
  await until("them to be closed", () => noMoreThan(before));
  await group.leave();
});
