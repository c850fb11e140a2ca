import { assert, assertEquals, assertGreater } from "@std/assert";
import { type CorosyncNode, startCluster } from "../testing/mod.ts";
import { decode } from "../testing/place.ts";
import { program, testWithC } from "./c.ts";
import { finish, Member, sendFromAll } from "./cluster/driver.ts";
import { type Journal, judge } from "./cluster/journal.ts";
import { until, within } from "./support.ts";

/** Starts one of the programs beside this file on a node. */
function start(node: CorosyncNode, file: string, ...args: string[]) {
  const path = new URL(`cluster/${file}`, import.meta.url).pathname;
  const options = ["--quiet", "--no-config", "-A"];
  return node.spawn([Deno.execPath(), "run", ...options, path, ...args], {
    stdout: "piped",
  });
}

async function output(
  { child }: ReturnType<typeof start>,
  bound: number,
): Promise<string> {
  const { code, stdout } = await within("a program", child.output(), bound);
  assertEquals(code, 0);
  return decode(stdout);
}

/** How many maps of zero-copy buffers a node's daemon has. */
async function maps(node: CorosyncNode): Promise<number> {
  const command = [
    "grep",
    "-c",
    "corosync_zerocopy-",
    `/proc/${node.pid}/maps`,
  ];
  const { child } = node.spawn(command, { stdout: "piped" });
  return Number(decode((await child.output()).stdout));
}

testWithC(
  "conformance: members of both languages on three nodes see the same",
  async () => {
    await using built = await program("member.c");
    await using cluster = await startCluster({ nodes: 3 });
    const options = { group: "random", folder: built.folder };
    const inC = { ...options, program: built.path };
    const [one, two, three] = cluster.nodes;
    const members: Member[] = [];
    for (
      const [node, how] of [
        [one, options],
        [one, inC],
        [two, options],
        [three, options],
        [three, inC],
      ] as const
    ) members.push(await Member.join(node, how));

    const started = performance.now();
    const sending = sendFromAll(members, "send 300 100000 0", 120_000);
    // Others come and go meanwhile, each in its own way.
    const guests: Journal[] = [];
    for (const how of [options, inC]) {
      const guest = await Member.join(two, how);
      await guest.ask("send 20 100000 0", "sent", 60_000);
      guests.push(...await finish([guest]));
      const killed = await Member.join(three, how);
      await killed.tell("send 1000 100000 0");
      await members[0].writes(
        "its messages",
        (text) => text.includes(`\nm ${killed.name} 5 `),
      );
      await killed.kill();
      guests.push(killed.journal);
    }
    await sending;
    const journals = await finish(members);
    const seconds = (performance.now() - started) / 1_000;
    const { sent, delivered, problems } = judge([...journals, ...guests]);
    console.log(
      `  ${sent} messages of up to 100,000 bytes sent, ${delivered} delivered in ${
        seconds.toFixed(1)
      } s`,
    );
    assertEquals(problems, []);
    assertEquals(
      journals.map((journal) => journal.sent.length),
      Array(5).fill(301),
    );
  },
);

Deno.test("conformance: 1,440 joins and leaves in a minute, beside 200,000 buffers", async () => {
  const folder = await Deno.makeTempDir();
  await using cluster = await startCluster({ nodes: 3 });
  const observers = await Promise.all(
    cluster.nodes.map((node) => Member.join(node, { group: "churn", folder })),
  );
  const [, , last] = cluster.nodes;
  const hoarding = start(last, "hoard.ts", "100", "2000", "100000");
  const churning = cluster.nodes.map((node) =>
    start(node, "churn.ts", "churn", "8", "60")
  );
  const sessions = (await Promise.all(
    churning.map((process) => output(process, 120_000)),
  )).flatMap((text) => text.trimEnd().split("\n"));
  const journals = await finish(observers);
  assertEquals(judge(journals).problems, []);

  // What a passing member has seen is a part of what all have.
  const changes = journals[0].events.filter(([kind]) => kind === "c")
    .map(([, members]) => members.split(",").toSorted().join());
  const all = ` ${changes.join(" ")} `;
  for (const session of sessions) assert(all.includes(` ${session} `), session);
  console.log(
    `  ${sessions.length} members came and went, in ${changes.length} changes that all agree on`,
  );
  assertEquals(sessions.length, 3 * 8 * 60);
  assertGreater(changes.length, 2 * sessions.length);

  const rounds = (await output(hoarding, 120_000)).trimEnd().split("\n");
  assertEquals(rounds.at(-1), "200000");
  assertEquals(await maps(last), 0);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("conformance: 100 processes exit without freeing what they have", async () => {
  await using cluster = await startCluster();
  const [node] = cluster.nodes;
  for (let i = 0; i < 50; i++) {
    const pair = [1, 2].map(() => start(node, "hoard.ts", "0", "1", "1048576"));
    for (const process of pair) {
      assertEquals(await output(process, 20_000), "1\n");
    }
  }
  await until("the daemon to let go", async () => await maps(node) === 0);
  const list = node.spawn(["ls", "/dev/shm"], { stdout: "piped" });
  const names = decode((await list.child.output()).stdout).split("\n");
  const left = names.filter((name) => !/^(qb-corosync-.*)?$/.test(name));
  console.log(
    "  100 buffers of 1 MiB left behind, of which the daemon keeps 0",
  );
  assertEquals(left, []);
});
