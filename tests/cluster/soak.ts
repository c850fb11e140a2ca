/**
 * Breaks the cluster around it at random for so many seconds, while members
 * send to each other; prints what became of the messages, and what has grown.
 *
 *   soak.ts SECONDS [FAULT…]
 *
 * It goes in rounds: all is well, all send, something breaks and is mended,
 * all come to rest, and what they have written down is compared.
 */
import { openLibcpg } from "../../ffi.ts";
import { Cluster, type CorosyncNode } from "../../testing/mod.ts";
import { resizing } from "../shm.ts";
import { FAULTS, shell } from "./chaos.ts";
import { BOUND, equip, Member, rest } from "./driver.ts";
import { judge, type Verdict } from "./judge.ts";

/** What every member sends: a message of up to 30,000 bytes each 20 ms. */
const LOAD = "send 1000000 30000 20000";

/** How large /dev/shm is, so that it can be filled. */
const ROOM = "128m";

const [seconds, ...wanted] = Deno.args;
const names = wanted.length > 0 ? wanted : Object.keys(FAULTS);
const cluster = Cluster.ambient();

/** What a process, or a node, has of something. */
interface Holdings {
  readonly [what: string]: number;
}

/** What a process has. */
async function holdings(node: CorosyncNode, pid: number): Promise<Holdings> {
  const numbers = await shell(
    node,
    `awk '/VmRSS/ { print $2 }' /proc/${pid}/status
    ls /proc/${pid}/fd | wc -l
    grep -c corosync_zerocopy- /proc/${pid}/maps`,
  );
  const [memory, descriptors, maps] = numbers.split("\n").map(Number);
  return { "KiB of memory": memory, descriptors, "zero-copy maps": maps };
}

/** What all processes that live through it have, and the nodes' files. */
async function census(members: Member[]): Promise<Record<string, Holdings>> {
  const found: Record<string, Holdings> = {};
  for (const member of members) {
    const { node, pid } = member;
    found[`member on node ${node.id}`] = await holdings(node, pid);
  }
  for (const node of cluster.nodes) {
    found[`daemon on node ${node.id}`] = await holdings(node, node.pid!);
    const numbers = await shell(node, "ls /dev/shm | wc -l; du -sk /dev/shm");
    const [files, size] = numbers.split("\n").map(parseFloat);
    found[`/dev/shm of node ${node.id}`] = { files, "KiB in them": size };
  }
  return found;
}

/** Prints a table of what there was at several times. */
function printGrowth(times: Record<string, Holdings>[]): void {
  console.log("\n| | at first | half way | at last |");
  console.log("| --- | ---: | ---: | ---: |");
  for (const who of Object.keys(times[0])) {
    for (const what of Object.keys(times[0][who])) {
      const numbers = times.map((found) => found[who][what].toLocaleString());
      console.log(`| ${who}: ${what} | ${numbers.join(" | ")} |`);
    }
  }
}

openLibcpg(); // so that the C program is built for the same one
await using equipment = await equip();
const { folder, program } = equipment;
const options = { group: "soak", folder };

const join = (node: CorosyncNode, how: object = {}) =>
  Member.join(node, { ...options, ...how });
const lasting = await Promise.all(
  cluster.nodes.map((node) => join(node, { reconnect: true })),
);
/** One of each kind on each node, started again when it has ended. */
const mortals: (() => Promise<Member>)[] = cluster.nodes.flatMap((node) => [
  () => join(node, { reconnect: true }),
  () => join(node, { program }),
]);
const living = await Promise.all(mortals.map((start) => start()));

for (const node of cluster.nodes) {
  const { success } = await node.spawn(resizing(ROOM)).status;
  if (!success) throw new Error(`Cannot set the size of /dev/shm to ${ROOM}`);
}
const sum = { sent: 0, delivered: 0, lost: 0, withheld: 0, rounds: 0 };
const end = Date.now() + Number(seconds) * 1_000;
const half = Date.now() + Number(seconds) * 500;
const times: Record<string, Holdings>[] = [];

/**
 * Removes what killed daemons have left: 8 MiB of log each, and what their
 * clients shared with them. corosync does not.
 */
async function sweep(): Promise<void> {
  for (const node of cluster.nodes) {
    await shell(
      node,
      `for path in /dev/shm/qb-*; do
        pid=\${path#/dev/shm/qb-}
        pid=\${pid#corosync-}
        [ -e "/proc/\${pid%%-*}" ] || rm -r "$path"
      done`,
    );
  }
}

/** Breaks something and mends it, brings all to rest, and judges. */
async function round(name: string): Promise<Verdict> {
  const members = [...lasting, ...living];
  const running = members.filter((member) => !member.ended);
  for (const member of running) await member.tell(LOAD);
  await FAULTS[name]({
    cluster,
    members: running,
    load: LOAD,
    mortals: living,
  });
  for (const node of cluster.nodes) {
    if (!node.running) throw new Error(`The daemon on node ${node.id} died`);
  }
  await cluster.settled({ timeout: BOUND });
  await Promise.all(lasting.map((member) => member.isBack()));
  await rest(members);
  for (const { ended, name } of lasting) {
    if (ended) throw new Error(`${name} has ended`);
  }
  const verdict = judge(members.map(({ journal }) => journal));
  if (verdict.problems.length > 0) throw new Error(verdict.problems.join("\n"));
  return verdict;
}

/** Keeps what tells how a round went wrong, and says where. */
async function keepEvidence(): Promise<void> {
  const kept = await Deno.makeTempDir({ prefix: "soak-" });
  for (const member of [...lasting, ...living]) {
    await Deno.writeTextFile(`${kept}/${member.name}`, member.text);
  }
  for (const node of cluster.nodes) {
    await Deno.writeTextFile(`${kept}/corosync-${node.id}.log`, node.log);
  }
  console.log(`The journals and the daemons' logs are in ${kept}`);
}

while (Date.now() < end) {
  const name = names[Math.floor(Math.random() * names.length)];
  const started = performance.now();
  const { sent, delivered, lost, withheld } = await round(name)
    .catch(async (error) => {
      console.log(`Failed: ${name}`);
      await keepEvidence();
      throw error;
    });
  sum.rounds++;
  sum.sent += sent;
  sum.delivered += delivered;
  sum.lost += lost;
  sum.withheld += withheld;
  const took = ((performance.now() - started) / 1_000).toFixed(1);
  console.log(
    `${took} s, ${name}: ${sent} sent, ${delivered} delivered, ${lost} lost ` +
      `with those that died, ${withheld} withheld from nodes that came`,
  );
  for (const member of [...lasting, ...living]) member.forget();
  for (const [index, member] of living.entries()) {
    if (member.ended) living[index] = await mortals[index]();
  }
  await sweep();
  if (times.length === 0 || times.length === 1 && Date.now() > half) {
    times.push(await census(lasting));
  }
}

printGrowth([...times, await census(lasting)]);
for (const node of cluster.nodes) {
  const names = await shell(node, "cd /dev/shm && ls -d *");
  console.log(
    `/dev/shm of node ${node.id}:`,
    names.trim().split("\n").join(" "),
  );
}
console.log(
  `\n${sum.rounds} faults in ${seconds} s: ${sum.sent.toLocaleString()} messages sent, ` +
    `${sum.delivered.toLocaleString()} delivered, ${sum.lost.toLocaleString()} lost ` +
    "with daemons or members that died, 0 lost otherwise, " +
    `${sum.withheld.toLocaleString()} withheld from nodes that had just come`,
);
for (const member of [...lasting, ...living]) await member.kill();
