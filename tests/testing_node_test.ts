import { resolve } from "node:path";
import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { corosyncConf } from "../testing/config.ts";
import { isolate } from "../testing/isolation.ts";
import { CorosyncNode, startCluster } from "../testing/mod.ts";
import { findCorosync } from "../testing/packages.ts";
import { decode, type PlaceProcess } from "../testing/place.ts";
import { testOnNodes } from "./nodes.ts";
import { until, within } from "./support.ts";

const MODULE = import.meta.resolve("../testing/mod.ts");

function test(name: string, body: () => Promise<void>): void {
  testOnNodes(`testing: ${name}`, body);
}

/**
 * Lists the groups, which fails without a daemon and waits for a frozen one:
 * with 124, after some seconds.
 */
async function listGroups(node: CorosyncNode, seconds = 10): Promise<number> {
  const { cpgtool } = await findCorosync();
  const { status } = node.spawn(["timeout", `${seconds}`, cpgtool], {
    stdout: "null",
    stderr: "null",
  });
  return (await status).code;
}

async function outputOf({ child }: PlaceProcess): Promise<string> {
  return decode((await child.output()).stdout);
}

test("a node is killed, frozen, thawed, stopped and started", async () => {
  await using cluster = await startCluster();
  const [node] = cluster.nodes;
  assertEquals(node.id, 1);
  assertEquals(await listGroups(node), 0);
  assertStringIncludes(node.log, "ready to provide service");
  const first = node.pid;

  // Out of our session, it is out of reach of our terminal's Ctrl-C.
  const session = ["cut", "-d", " ", "-f", "6", `/proc/${first}/stat`];
  const leader = await outputOf(node.spawn(session, { stdout: "piped" }));
  assertEquals(leader, `${first}\n`);

  await node.start(); // it runs already
  assertEquals(node.pid, first);

  await node.freeze();
  assertEquals(await listGroups(node, 0.5), 124);
  await assertRejects(
    () => node.ready({ timeout: 100 }),
    Error,
    "is not ready",
  );
  await node.thaw();
  await node.ready();

  await node.kill();
  assertEquals(node.pid, undefined);
  assertNotEquals(await listGroups(node), 0);
  for (const call of ["kill", "freeze", "thaw", "stop"] as const) {
    await assertRejects(() => node[call](), Error, "is not running");
  }
  await assertRejects(() => node.ready(), Error, "has ended; the end of its");

  await node.start();
  assertNotEquals(node.pid, first);
  assertEquals(await listGroups(node), 0);

  await node.freeze();
  await node.restart(); // a frozen daemon leaves, too
  assertEquals(await listGroups(node), 0);
  await node.stop();
  assertEquals(node.pid, undefined);

  await cluster.end();
  await cluster.end(); // nothing happens
  await assertRejects(() => node.kill(), Error, "is not running");
});

test("a daemon that is about to end is started again", async () => {
  await using cluster = await startCluster();
  const [node] = cluster.nodes;
  const first = node.pid;
  await node.freeze();
  const started = node.start(); // waits for its answer
  await node.kill();
  await started;
  assertNotEquals(node.pid, first);
  await node.ready();
});

test("orphans on a node leave no zombies", async () => {
  await using cluster = await startCluster();
  const [node] = cluster.nodes;
  const { status } = node.spawn(["sh", "-c", "(sh -c : & sh -c : &)"]);
  await status;
  await until("every orphan is reaped", async () => {
    const command = ["sh", "-c", "grep -l '^State:.Z' /proc/[0-9]*/status"];
    return await outputOf(node.spawn(command, { stdout: "piped" })) === "";
  });
});

test("commands on a node get their environment and folder", async () => {
  await using cluster = await startCluster();
  const [node] = cluster.nodes;
  const process = node.spawn(["sh", "-c", 'echo "$A:$PWD"'], {
    env: { A: "b" },
    cwd: "/usr",
    stdout: "piped",
  });
  assertEquals(await outputOf(process), "b:/usr\n");
});

test("a command on a node can be signalled as soon as it is started", async () => {
  await using cluster = await startCluster();
  const [node] = cluster.nodes;
  // Too soon it would be lost: to about one in fifty.
  for (let i = 0; i < 200; i++) {
    const sleeper = node.spawn(["sleep", "5"]);
    await sleeper.kill("SIGTERM");
    assertEquals((await sleeper.status).code, 143);
    await sleeper.kill("SIGTERM"); // it has ended
  }
});

test("a command finds corosync's programs, and a folder as one names it", async () => {
  await using cluster = await startCluster();
  const [node] = cluster.nodes;
  const tool = node.spawn(["corosync-cpgtool"], { stdout: "null" });
  assertEquals((await tool.status).code, 0);
  const command = node.spawn(["pwd"], { cwd: "..", stdout: "piped" });
  assertEquals(await outputOf(command), `${resolve("..")}\n`);
});

test("whoever starts a node with others starts one daemon", async () => {
  await using cluster = await startCluster();
  const [node] = cluster.nodes;
  for (let i = 0; i < 6; i++) {
    await node.kill();
    await Promise.all(Array.from({ length: 24 }, () => node.start()));
    const all = await outputOf(
      node.spawn(["sh", "-c", "cat /proc/[0-9]*/comm"], { stdout: "piped" }),
    );
    const daemons = all.split("\n").filter((name) => name === "corosync");
    assertEquals(daemons.length, 1);
    assert(node.running);
  }
  await node.stop();
});

test("a daemon may end before a signal reaches it", async () => {
  await using cluster = await startCluster();
  const [node] = cluster.nodes;
  for (let i = 0; i < 5; i++) {
    const [restart, ...others] = await Promise.allSettled([
      node.restart(),
      node.kill(),
      node.kill(),
    ]);
    assertEquals(restart.status, "fulfilled", `${restart}`);
    for (const { status } of others) assertEquals(status, "fulfilled");
  }
});

test("a daemon that ends is not waited for to freeze", async () => {
  await using cluster = await startCluster();
  const [node] = cluster.nodes;
  for (let i = 0; i < 5; i++) {
    const frozen = node.freeze().catch((error: Error) => error.message);
    await node.kill();
    const outcome = await within("an answer", frozen, 20_000);
    if (outcome) assertStringIncludes(outcome, "has ended");
    await node.start();
  }
});

test("how long to wait is checked, and may be nothing", async () => {
  await using cluster = await startCluster();
  const [node] = cluster.nodes;
  const { pid } = node;
  for (const timeout of [NaN, -1]) {
    for (
      const call of ["ready", "freeze", "stop", "kill", "restart"] as const
    ) {
      await assertRejects(() => node[call]({ timeout }), RangeError, "timeout");
    }
    await assertRejects(() => cluster.settled({ timeout }), RangeError);
  }
  // None of them has begun.
  assert(node.running);
  assertEquals(node.pid, pid);
  await node.freeze();
  await assertRejects(() => node.ready({ timeout: 0 }), Error, "is not ready");
});

test("output can be cancelled that what a command left behind still holds", async () => {
  await using cluster = await startCluster();
  const [node] = cluster.nodes;
  const command = ["sh", "-c", "sleep 600 & echo ready; exit 3"];
  const { child } = node.spawn(command, { stdout: "piped" });
  const output = child.stdout.getReader();
  assertEquals(decode((await output.read()).value!), "ready\n");
  assertEquals((await child.status).code, 3);
  await output.cancel();
  // A rejection that nobody takes comes a moment later, and fails this test.
  assertEquals(await listGroups(node), 0);
});

test("several run side by side, and none knows another", async () => {
  await using one = await startCluster();
  await using two = await startCluster();
  await one.nodes[0].kill();
  assertEquals(await listGroups(two.nodes[0]), 0);
});

test("a program on a node finds and breaks its daemon", async () => {
  await using cluster = await startCluster();
  const [node] = cluster.nodes;
  const before = node.pid;
  const program = `
    import { CorosyncNode } from "${MODULE}";
    const node = CorosyncNode.ambient();
    const before = node.pid;
    await node.kill();
    await node.start();
    console.log(node.id, before, node.pid);
  `;
  const process = node.spawn(
    [Deno.execPath(), "eval", "--no-config", program],
    { stdout: "piped" },
  );
  const after = await outputOf(process);
  // The new daemon has outlived the program that started it.
  assertEquals(after, `1 ${before} ${node.pid}\n`);
  assertEquals(await listGroups(node), 0);
});

test("a daemon that does not start is quoted", async () => {
  await using isolated = await isolate();
  const { place, folder } = isolated;
  const corosync = await findCorosync();
  const nodes = [{ id: 1, address: "no address", pid: 1 }];
  const cluster = { nodes, token: 1_000 };
  const node = new CorosyncNode(place, { id: 1, folder, corosync, cluster });
  await node.setUp();
  await assertRejects(
    () => node.start(),
    Error,
    "'no address'",
  );
});

Deno.test("testing: outside of a node there is no ambient one", () => {
  const folder = Deno.env.get("COROSYNC_TESTING");
  Deno.env.delete("COROSYNC_TESTING");
  try {
    assertThrows(() => CorosyncNode.ambient(), Error, "testing/mod.ts");
  } finally {
    if (folder !== undefined) Deno.env.set("COROSYNC_TESTING", folder);
  }
});

Deno.test("testing: a configuration lists every node", () => {
  const nodes = [1, 2, 3].map((id) => ({
    id,
    address: `10.0.0.${id}`,
    pid: id,
  }));
  const conf = corosyncConf({ nodes, token: 1_000 }, "/state");
  assertEquals(conf.match(/ring0_addr: .*/g), [
    "ring0_addr: 10.0.0.1",
    "ring0_addr: 10.0.0.2",
    "ring0_addr: 10.0.0.3",
  ]);
  // corosync takes only a `{` that ends its line.
  assertEquals(conf.match(/\{(?!$)/gm), null);
});
