import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
} from "@std/assert";
import { type CorosyncNode, startCluster } from "../testing/mod.ts";
import { decode } from "../testing/place.ts";
import { BOUND, equip, finish, Member, sendFromAll } from "./cluster/driver.ts";
import type { Journal } from "./cluster/journal.ts";
import { judge } from "./cluster/judge.ts";
import { testOnNodes } from "./nodes.ts";
import { until, within } from "./support.ts";

/** The token's time, in milliseconds, for nodes that nothing happens to. */
const CALM = 5_000;

/** Starts one of the programs beside this file on a node. */
function start(node: CorosyncNode, file: string, ...args: string[]) {
  const path = new URL(`cluster/${file}`, import.meta.url).pathname;
  const options = ["--quiet", "--no-config", "-A"];
  return node.spawn([Deno.execPath(), "run", ...options, path, ...args], {
    stdout: "piped",
  });
}

/** What a program says until its end, as long as it goes on. */
async function output(
  { child }: ReturnType<typeof start>,
): Promise<string> {
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (true) {
    const { done, value } = await within("a program", reader.read(), BOUND);
    if (done) break;
    text += value;
  }
  assertEquals((await child.status).code, 0);
  return text;
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

testOnNodes(
  "conformance: members of both languages on three nodes see the same",
  async () => {
    await using equipment = await equip();
    await using cluster = await startCluster({
      nodes: 3,
      token: CALM,
      timeout: BOUND,
    });
    const options = { group: "random", folder: equipment.folder };
    const inC = { ...options, program: equipment.program };
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
    const sending = sendFromAll(members, "send 300 100000 0");
    // Others come and go meanwhile, each in its own way.
    const guests: Journal[] = [];
    for (const how of [options, inC]) {
      const guest = await Member.join(two, how);
      await guest.ask("send 20 100000 0", "sent");
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
    // Of the last one, all may have to send some more.
    const [count, ...counts] = journals.map(({ sent }) => sent.length);
    assertGreaterOrEqual(count, 301);
    assertEquals(counts, Array(4).fill(count));
  },
);

testOnNodes(
  "conformance: 1,440 joins and leaves in a minute, beside 200,000 buffers",
  async () => {
    await using equipment = await equip();
    const { folder } = equipment;
    await using cluster = await startCluster({
      nodes: 3,
      token: CALM,
      timeout: BOUND,
    });
    const observers = await Promise.all(
      cluster.nodes.map((node) =>
        Member.join(node, { group: "churn", folder })
      ),
    );
    const hoards = cluster.nodes.slice(1);
    const hoarding = hoards.map((node) =>
      start(node, "hoard.ts", "50", "2000", "100000")
    );
    const churning = cluster.nodes.map((node) =>
      start(node, "churn.ts", "churn", "8", "60")
    );
    const outputs = await Promise.all(
      churning.map((process) => output(process)),
    );
    const journals = await finish(observers);
    assertEquals(judge(journals).problems, []);

    let sessions = 0;
    for (const [index, { events }] of journals.entries()) {
      const changes = events.filter(([kind]) => kind === "c")
        .map(([, members]) => members.split(",").toSorted().join());
      const all = ` ${changes.join(" ")} `;
      // What a passing member has seen is a part of what its node's observer has.
      for (const seen of outputs[index].trimEnd().split("\n")) {
        assert(all.includes(` ${seen} `), seen);
        sessions++;
      }
      assertGreater(changes.length, 3 * 8 * 60);
    }
    assertEquals(sessions, 3 * 8 * 60);
    console.log(
      `  ${sessions} members came and went; all agree on every change`,
    );

    for (const [index, node] of hoards.entries()) {
      const text = await output(hoarding[index]);
      assertEquals(text.trimEnd().split("\n").at(-1), "100000");
      assertEquals(await maps(node), 0);
    }
  },
);

testOnNodes(
  "conformance: 100 processes exit without freeing what they have",
  async () => {
    await using cluster = await startCluster();
    const [node] = cluster.nodes;
    for (let i = 0; i < 50; i++) {
      const pair = [1, 2].map(() =>
        start(node, "hoard.ts", "0", "1", "1048576")
      );
      for (const process of pair) {
        assertEquals(await output(process), "1\n");
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
  },
);
