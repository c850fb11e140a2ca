import {
  assertArrayIncludes,
  assertEquals,
  assertGreater,
  assertLess,
} from "@std/assert";
import { type PrivateCluster, startCluster } from "../testing/mod.ts";
import { BOUND, equip, finish, Member, sendFromAll } from "./cluster/driver.ts";
import { changes, type Journal } from "./cluster/journal.ts";
import { judge, type Verdict } from "./cluster/judge.ts";
import { testOnNodes } from "./nodes.ts";
import { until } from "./support.ts";

/** What every member sends until told to stop: 2 messages in 10 ms. */
const LOAD = "send 1000000 20000 5000";

/** Six members on three nodes, on each one that reconnects and one in C. */
interface Scene {
  readonly cluster: PrivateCluster;
  readonly members: Member[];
  /** Where the journals are. */
  readonly folder: string;
}

/** A test that breaks something, with a cluster whose members all send. */
function testUnderLoad(
  name: string,
  test: (scene: Scene) => Promise<Journal[]>,
): void {
  testOnNodes(`faults: ${name}`, async () => {
    await using equipment = await equip();
    const { folder, program } = equipment;
    await using cluster = await startCluster({ nodes: 3, timeout: BOUND });
    const options = { group: "faults", folder, reconnect: true };
    const members: Member[] = [];
    for (const node of cluster.nodes) {
      members.push(await Member.join(node, options));
      const mortal = { ...options, reconnect: false, program };
      members.push(await Member.join(node, mortal));
    }
    for (const member of members) await member.tell(LOAD);
    await progress(members);
    report(await test({ cluster, members, folder }));
  });
}

/** Waits until each of the members has received some more messages. */
async function progress(members: readonly Member[]): Promise<void> {
  const count = (text: string) => text.match(/^m /gm)?.length ?? 0;
  for (const member of members) {
    const before = count(member.text);
    await member.writes("more messages", (text) => count(text) > before + 300);
  }
}

/** Judges, and says what it has come to; where it fails, with what changed. */
function report(journals: readonly Journal[]): Verdict {
  const verdict = judge(journals);
  const { sent, delivered, lost, problems } = verdict;
  console.log(
    `  ${sent} messages sent, ${delivered} delivered, ${lost} lost with those that were killed`,
  );
  assertEquals(problems, [], `\n${journals.map(changes).join("\n")}\n`);
  return verdict;
}

/** How late the members' timers were at worst, in milliseconds. */
async function lateness(members: readonly Member[]): Promise<number> {
  const answers = await Promise.all(
    members.map((member) => member.ask("late", "late")),
  );
  return Math.max(...answers.map(Number));
}

testUnderLoad("kill -9 of a daemon", async ({ cluster, members }) => {
  const [, , third] = cluster.nodes;
  const [ours, theirs] = members.slice(4);
  await third.kill();
  await cluster.settled({ timeout: BOUND });
  await ours.writes("the loss", (text) => text.includes("\nd CS_ERR_LIBRARY"));
  assertEquals(await theirs.end(), 1);
  await progress(members.slice(0, 4));
  await third.start();
  await ours.writes("the return", (text) => text.includes("\nr "));
  await progress(members.slice(0, 5));
  const journals = await finish(members.slice(0, 5));
  return [...journals, theirs.journal];
});

testUnderLoad("a freeze of a daemon for 10 s", async (scene) => {
  const { cluster, members, folder } = scene;
  const [first, , third] = cluster.nodes;
  const ours = members.filter((_, index) => index % 2 === 0);
  // One that has nothing to do shows how late the machine is by itself.
  const idle = await Member.join(first, { group: "idle", folder });
  await lateness([...ours, idle]);
  const end = Date.now() + 10_000;
  await third.freeze();
  await cluster.settled({ timeout: BOUND });
  while (Date.now() < end) await progress(members.slice(0, 4));
  await third.thaw();
  await cluster.settled({ timeout: BOUND });
  const late = await lateness(ours);
  const usual = await lateness([idle]);
  console.log(
    `  the members' timers were ${late} ms late at worst, an idle one's ${usual}`,
  );
  assertLess(late, 2 * usual + 1_000);
  await progress(members);
  await finish([idle]);
  return await finish(members);
});

testUnderLoad(
  "a network that is divided and healed",
  async ({ cluster, members }) => {
    await cluster.partition([[0], [1, 2]]);
    await cluster.settled({ timeout: BOUND });
    await progress(members);
    await cluster.heal();
    await cluster.settled({ timeout: BOUND });
    await progress(members);
    const journals = await finish(members);
    for (const { writer, events } of journals) {
      const isFirst = writer.startsWith("1:");
      const others = members.map(({ name }) => name)
        .filter((name) => name.startsWith("1:") !== isFirst);
      const there = events.filter(([kind]) => kind === "c").map(([, list]) =>
        others.filter((name) => list.split(",").includes(name)).length
      );
      const division = there.indexOf(0, there.indexOf(others.length));
      assertGreater(division, 0);
      // All at once, as a rule; two nodes may find each other first.
      assertArrayIncludes(there.slice(division), [others.length]);
    }
    return journals;
  },
);

testUnderLoad(
  "kill -9 of clients that send zero-copy",
  async ({ cluster, members }) => {
    const [, , third] = cluster.nodes;
    const shared = async () => {
      const { stdout } = await third.spawn([
        "grep",
        "-c",
        "corosync_zerocopy-",
        `/proc/${third.pid}/maps`,
      ], { stdout: "piped" }).child.output();
      return Number(new TextDecoder().decode(stdout));
    };
    const killed = members.slice(4);
    // Larger ones corosync may lose: a zero-copy one and then, from another
    // member, an ordinary one for which there is no room left.
    for (const member of killed) await member.tell("send 1000000 400000 0");
    await until("the daemon to share memory with them", async () => {
      return await shared() > 0;
    });
    for (const member of killed) await member.kill();
    const survivors = members.slice(0, 4);
    for (const survivor of survivors) {
      for (const { name } of killed) {
        await survivor.writes(
          `the end of ${name}`,
          (text) => text.includes(` ${name}:process-down`),
        );
      }
    }
    await until(
      "the daemon to free their memory",
      async () => await shared() === 0,
    );
    await progress(survivors);
    return [
      ...await finish(survivors),
      ...killed.map(({ journal }) => journal),
    ];
  },
);

testOnNodes("faults: 5 % of packets lost and 20 ms of delay", async () => {
  await using equipment = await equip();
  const { folder, program } = equipment;
  await using cluster = await startCluster({ nodes: 3, timeout: BOUND });
  const seconds: number[] = [];
  const journals: Journal[] = [];
  for (const impairment of [{}, { loss: 0.05, delay: 20 }]) {
    const group = `impaired-${seconds.length}`;
    const members = [
      await Member.join(cluster.nodes[0], { group, folder }),
      await Member.join(cluster.nodes[1], { group, folder }),
      await Member.join(cluster.nodes[2], { group, folder, program }),
    ];
    await cluster.impair(impairment);
    const start = performance.now();
    await sendFromAll(members, "send 200 1000 0");
    journals.push(...await finish(members));
    seconds.push((performance.now() - start) / 1_000);
  }
  const [good, bad] = seconds.map((value) => value.toFixed(1));
  console.log(`  603 messages in ${good} s, and in ${bad} s when impaired`);
  assertGreater(seconds[1], seconds[0]);
  for (const half of [journals.slice(0, 3), journals.slice(3)]) {
    assertEquals(report(half).lost, 0);
  }
});
