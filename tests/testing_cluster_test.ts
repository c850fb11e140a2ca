import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { isolate, type Isolation } from "../testing/isolation.ts";
import {
  type Cluster,
  type CorosyncNode,
  type PlaceProcess,
  type PrivateCluster,
  startCluster,
  type StartOptions,
} from "../testing/mod.ts";
import { decode } from "../testing/place.ts";
import { BOUND } from "./cluster/driver.ts";
import { testOnNodes } from "./nodes.ts";
import { until, within } from "./support.ts";

const MODULE = import.meta.resolve("../testing/mod.ts");
const PACKETS = new URL("cluster/packets.ts", import.meta.url).pathname;

function test(name: string, body: () => Promise<void>): void {
  testOnNodes(`testing: ${name}`, body);
}

/** Starts a cluster that does not take a node for dead which is but slow. */
function start(nodes: number, token = 2_000): Promise<PrivateCluster> {
  return startCluster({ nodes, token, timeout: BOUND });
}

async function outputOf({ child }: PlaceProcess): Promise<string> {
  const { code, stdout } = await child.output();
  assertEquals(code, 0, decode(stdout));
  return decode(stdout);
}

/** Runs a shell script on a node and returns what it prints. */
function shell(node: CorosyncNode, script: string): Promise<string> {
  return outputOf(node.spawn(["sh", "-c", script], { stdout: "piped" }));
}

/** The ids of the nodes that each of the given nodes has in its ring. */
async function rings(cluster: Cluster, ...nodes: number[]) {
  const views = nodes.map((index) => cluster.nodes[index].view());
  return (await Promise.all(views)).map((view) => view?.ring);
}

test("three nodes know each other, and share no files", async () => {
  await using cluster = await start(3);
  assertEquals(cluster.nodes.map(({ id }) => id), [1, 2, 3]);
  const all = [1, 2, 3];
  assertEquals(await rings(cluster, 0, 1, 2), [all, all, all]);

  for (const [index, node] of cluster.nodes.entries()) {
    await shell(node, `touch /dev/shm/of-${index} /run/of-${index}`);
  }
  for (const [index, node] of cluster.nodes.entries()) {
    const names = await shell(node, "ls -d /dev/shm/of-* /run/of-*");
    assertEquals(names, `/dev/shm/of-${index}\n/run/of-${index}\n`);
  }
  const spaces = await Promise.all(
    cluster.nodes.map((node) => shell(node, "readlink /proc/self/ns/ipc")),
  );
  assertEquals(new Set(spaces).size, 3);
});

test("a cluster settles after whatever happens to its nodes", async () => {
  await using cluster = await start(3);
  const [, second, third] = cluster.nodes;
  await second.kill();
  assert(!second.running);
  await cluster.settled({ timeout: BOUND });
  assertEquals(await rings(cluster, 0, 2), [[1, 3], [1, 3]]);

  await third.freeze();
  assert(!third.running);
  await cluster.settled({ timeout: BOUND });
  assertEquals(await rings(cluster, 0), [[1]]);

  await second.start();
  await third.thaw();
  assert(third.running);
  await cluster.settled({ timeout: BOUND });
  assertEquals(await rings(cluster, 0, 1, 2), Array(3).fill([1, 2, 3]));

  await third.restart();
  await cluster.settled({ timeout: BOUND });
  assertEquals(await rings(cluster, 2), [[1, 2, 3]]);
});

test("a network is divided and healed", async () => {
  await using cluster = await start(4);
  await cluster.partition([[0, 2], [1, 3]]);
  await cluster.settled({ timeout: BOUND });
  const even = [1, 3];
  const odd = [2, 4];
  assertEquals(await rings(cluster, 0, 1, 2, 3), [even, odd, even, odd]);

  await cluster.partition([[1, 2, 3]]); // whoever is not named is alone
  await cluster.settled({ timeout: BOUND });
  assertEquals(await rings(cluster, 0, 3), [[1], [2, 3, 4]]);

  await cluster.heal();
  await cluster.settled({ timeout: BOUND });
  assertEquals(await rings(cluster, 0), [[1, 2, 3, 4]]);

  await cluster.partition([[], [0, 1], [], [2], [3]]);
  await cluster.settled({ timeout: BOUND });
  assertEquals(await rings(cluster, 0, 2, 3), [[1, 2], [3], [4]]);

  await assertRejects(() => cluster.partition([[4]]), RangeError, "no node 4");
  await assertRejects(
    () => cluster.partition([[0, 1], [1]]),
    RangeError,
    "Node 1 cannot be on two sides",
  );
});

test("a cluster that does not settle is described", async () => {
  await using cluster = await start(2, 10_000);
  await cluster.partition([[0], [1]]);
  await assertRejects(
    () => cluster.settled({ timeout: 100 }),
    Error,
    'not settled after 100 ms: [{"running":[1],"views":[{"ring":[1,2]',
  );
});

test("a network loses and delays packets, and is good again", async () => {
  await using cluster = await start(2);
  const [first, second] = cluster.nodes;
  const measure = async (count: number, interval: number) => {
    const measuring = first.spawn([
      ...[Deno.execPath(), "run", "--quiet", "--no-config", "-A", PACKETS],
      ...[String(count), String(interval), "10.0.0.2"],
    ], { stdout: "piped" });
    const { answered, median } = JSON.parse(await outputOf(measuring));
    return { answered: answered / count, median };
  };
  const echo = second.spawn(
    [Deno.execPath(), "run", "--quiet", "--no-config", "-A", PACKETS],
    { stdout: "piped" },
  );
  const said = echo.child.stdout.getReader();
  await within("the echo to listen", said.read());

  /** At first the nodes may have to find each other (ARP), for a second. */
  const allAnswered = () =>
    until(
      "all packets to be answered",
      async () => (await measure(50, 1)).answered === 1,
    );
  await allAnswered();
  await until(
    "packets to take less than two delays",
    async () => (await measure(50, 1)).median < 100,
  );

  await cluster.impair({ delay: 50 });
  const slow = await measure(50, 1);
  assertEquals(slow.answered, 1);
  assertGreaterOrEqual(slow.median, 100);

  await cluster.impair({ loss: 0.3 });
  // A machine that is busy may lose some more.
  await until("as many to be lost as shall be", async () => {
    const { answered } = await measure(1_000, 1);
    return Math.abs(answered - 0.7 * 0.7) < 0.1;
  });

  // It stays divided while it is bad.
  await cluster.impair({ delay: 1 });
  await cluster.partition([[0], [1]]);
  assertEquals((await measure(50, 1)).answered, 0);

  await cluster.impair({});
  assertEquals((await measure(50, 1)).answered, 0);
  await cluster.heal();
  await allAnswered();

  for (const impairment of [{ loss: 1.1 }, { loss: -1 }, { delay: -1 }]) {
    await assertRejects(() => cluster.impair(impairment), RangeError);
  }
  await echo.kill("SIGKILL");
  await echo.status;
  await said.cancel();
});

test("a cluster settles in a slow network, too", async () => {
  await using cluster = await start(2, 5_000);
  // Waiting must not lose what is on its way.
  await cluster.impair({ delay: 200 });
  await cluster.settled({ timeout: BOUND });
});

test("a cluster without its token has not settled, whatever daemons know", async () => {
  await using cluster = await start(2, 10_000);
  await cluster.impair({ loss: 1 });
  await assertRejects(
    () => cluster.settled({ timeout: 100 }),
    Error,
    '[{"running":[1,2],"views":[{"ring":[1,2]',
  );
  await cluster.impair({});
  await cluster.settled({ timeout: BOUND });
});

test("orders to the network at the same time are all obeyed", async () => {
  await using cluster = await start(2);
  await cluster.impair({ loss: 1 });
  await cluster.partition([[0], [1]]);
  await cluster.settled({ timeout: BOUND });
  await Promise.all([cluster.impair({}), cluster.heal()]);
  await cluster.settled({ timeout: BOUND });
  assertEquals(await rings(cluster, 0, 1), [[1, 2], [1, 2]]);
});

test("whoever ends amid an order leaves the network as it is", async () => {
  await using cluster = await start(2);
  const program = `
    import { connect } from "node:net";
    for (let i = 0; i < 200; i++) {
      const connection = connect(Deno.env.get("COROSYNC_TESTING") + "/switch");
      connection.on("error", () => {});
      await new Promise((done) => connection.write("{}\\n", done));
      await new Promise((done) => setTimeout(done, i % 5));
      connection.destroy();
    }
  `;
  const rude = [Deno.execPath(), "eval", "--no-config", program];
  await outputOf(cluster.nodes[0].spawn(rude, { stdout: "piped" }));
  await cluster.heal();
});

test("a stream passes through a bad network", async () => {
  await using cluster = await start(2);
  const [first, second] = cluster.nodes;
  await cluster.impair({ delay: 1 });
  const run = (node: CorosyncNode, program: string) =>
    node.spawn([Deno.execPath(), "eval", "--no-config", program], {
      stdout: "piped",
    });
  const server = run(
    second,
    `
    import { createServer } from "node:net";
    const server = createServer((socket) => {
      socket.end(new Uint8Array(2e6));
      server.close();
    });
    server.listen(5000, () => console.log("ready"));
  `,
  );
  const said = server.child.stdout.getReader();
  await within("the server to listen", said.read());
  const client = run(
    first,
    `
    import { connect } from "node:net";
    let size = 0;
    connect(5000, "10.0.0.2")
      .on("data", (chunk) => size += chunk.length)
      .on("end", () => console.log(size));
  `,
  );
  assertEquals(
    await within("the stream to come", outputOf(client)),
    "2000000\n",
  );
  assertEquals((await server.status).code, 0);
  await said.cancel();
});

test("a program on any node finds and breaks the cluster", async () => {
  await using cluster = await start(3);
  const program = `
    import { Cluster, CorosyncNode } from "${MODULE}";
    const cluster = Cluster.ambient();
    const { id } = CorosyncNode.ambient();
    const before = cluster.nodes.map((node) => node.pid);
    await cluster.nodes[id % 3].kill();
    await cluster.settled({ timeout: ${BOUND} });
    await cluster.nodes[id % 3].start();
    await cluster.partition([[0], [1], [2]]);
    await cluster.settled({ timeout: ${BOUND} });
    const where = cluster.nodes[2].spawn(["readlink", "/proc/self/ns/net"], {
      stdout: "piped",
    });
    const { stdout } = await where.child.output();
    const net = new TextDecoder().decode(stdout);
    console.log(JSON.stringify({ id, before, net }));
  `;
  for (const node of cluster.nodes.slice(0, 2)) {
    const before = cluster.nodes.map(({ pid }) => pid);
    const process = node.spawn(
      [Deno.execPath(), "eval", "--no-config", program],
      { stdout: "piped" },
    );
    const net = await shell(cluster.nodes[2], "readlink /proc/self/ns/net");
    assertEquals(
      JSON.parse(await outputOf(process)),
      { id: node.id, before, net },
    );
    assertEquals(await rings(cluster, 0, 1, 2), [[1], [2], [3]]);
    const after = cluster.nodes.map(({ pid }) => pid);
    assertNotEquals(after[node.id], before[node.id]);
    await cluster.heal();
    await cluster.settled({ timeout: BOUND });
  }
});

test("one node has no network", async () => {
  await using cluster = await startCluster();
  await cluster.settled();
  for (
    const change of [
      () => cluster.partition([[0]]),
      () => cluster.heal(),
      () => cluster.impair({ loss: 1 }),
    ]
  ) await assertRejects(change, Error, "no network");
});

test("a cluster that cannot be is refused", async () => {
  for (
    const [options, message] of [
      ...[0, 1.5, 255, NaN].map((nodes) => [{ nodes }, "1 to 254 nodes"]),
      ...[0, 29, 30.5, NaN].map((token) => [{ token }, "milliseconds from 30"]),
      [{ timeout: -1 }, "timeout"],
      [{ isolation: "jail" as Isolation }, "not jail"],
    ] as [StartOptions, string][]
  ) {
    // Before anything is looked for there.
    const folder = "/dev/null";
    await assertRejects(
      () => startCluster({ ...options, fetched: true, folder }),
      RangeError,
      message,
    );
  }
  await using empty = await isolate();
  // Without a corosync nearby, one in place could be started there.
  const program = `
    import { startCluster } from "${MODULE}";
    await startCluster({ nodes: 2, isolation: "in-place" })
      .catch((error) => console.log(error.message));
  `;
  const process = empty.place.spawn(
    [Deno.execPath(), "eval", "--no-config", program],
    { stdout: "piped" },
  );
  assertStringIncludes(await outputOf(process), "in-place is for one");
});
