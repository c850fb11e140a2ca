/** What can happen to a cluster: each breaks something and mends it again. */
import type { Cluster, CorosyncNode } from "../../testing/mod.ts";
import { decode } from "../../testing/place.ts";
import type { Member } from "./driver.ts";

/** What there is to break. */
export interface Target {
  readonly cluster: Cluster;
  /** All members, and the order that has them send. */
  readonly members: readonly Member[];
  readonly load: string;
  /** Members that may be killed. */
  readonly mortals: readonly Member[];
}

/** A number from `low` up to `high`. */
function between(low: number, high: number): number {
  return low + Math.random() * (high - low);
}

function oneOf<T>(all: readonly T[]): T {
  return all[Math.floor(Math.random() * all.length)];
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Runs a shell script on a node and returns what it prints. */
export async function shell(
  node: CorosyncNode,
  script: string,
): Promise<string> {
  const { child } = node.spawn(["sh", "-c", script], { stdout: "piped" });
  return decode((await child.output()).stdout);
}

/** Runs churn.ts, which joins and leaves 8 times a second, on every node. */
async function churn({ cluster }: Target): Promise<void> {
  const program = new URL("churn.ts", import.meta.url).pathname;
  const options = ["--quiet", "--no-config", "-A"];
  await Promise.all(cluster.nodes.map((node) =>
    node.spawn(
      [Deno.execPath(), "run", ...options, program, "soak", "8", "2"],
      { stdout: "null" },
    ).status
  ));
}

/** Sets a soft limit of a node's daemon for a while. */
async function limit(
  node: CorosyncNode,
  name: "nofile" | "as",
  value: string,
): Promise<void> {
  const { pid } = node;
  await shell(node, `prlimit --pid ${pid} --${name}=${value}:`);
  await wait(between(500, 2_000));
  const usual = name === "as" ? "unlimited" : "1000";
  // corosync does not survive an allocation that it cannot map.
  await shell(node, `prlimit --pid ${pid} --${name}=${usual}: 2>/dev/null`);
  await node.start();
}

/** The faults, by what they are called. */
export const FAULTS: Record<string, (target: Target) => Promise<unknown>> = {
  "a daemon killed": async ({ cluster }) => {
    const node = oneOf(cluster.nodes);
    await node.kill();
    await wait(between(0, 4_000));
    await node.start();
  },
  "a daemon stopped and started": ({ cluster }) =>
    oneOf(cluster.nodes).restart(),
  "a daemon frozen": async ({ cluster }) => {
    const node = oneOf(cluster.nodes);
    await node.freeze();
    await wait(between(100, 10_000));
    await node.thaw();
  },
  "a divided network": async ({ cluster }) => {
    const alone = oneOf([0, 1, 2]);
    await cluster.partition([[alone], [0, 1, 2].filter((n) => n !== alone)]);
    await wait(between(0, 5_000));
    await cluster.heal();
  },
  "a bad network": async ({ cluster }) => {
    await cluster.impair({ loss: between(0, 0.05), delay: between(0, 20) });
    await wait(between(1_000, 6_000));
    await cluster.impair({});
  },
  "a bad network that is divided": async ({ cluster }) => {
    await cluster.impair({ loss: 0.05, delay: 20 });
    await cluster.partition([[0], [1], [2]]);
    await wait(between(0, 4_000));
    await cluster.heal();
    await cluster.impair({});
  },
  "members killed": async ({ mortals }) => {
    for (const member of mortals) {
      if (!member.ended && Math.random() < 0.5) await member.kill();
    }
  },
  "members that come and go": churn,
  "a full /dev/shm": async ({ cluster, members, load }) => {
    // What finds room when it looks, and none a moment later, aborts.
    for (const member of members) await member.ask("stop", "sent");
    const node = oneOf(cluster.nodes);
    const free = "$(df -B1 --output=avail /dev/shm | tail -n 1)";
    await shell(node, `fallocate -l ${free} /dev/shm/ballast`);
    for (const member of members) await member.tell(load);
    await wait(between(1_000, 3_000));
    await shell(node, "rm /dev/shm/ballast");
  },
  "a daemon without descriptors": async ({ cluster }) => {
    const node = oneOf(cluster.nodes);
    const used = await shell(node, `ls /proc/${node.pid}/fd`);
    const numbers = new Set(used.split("\n").map(Number));
    let lowest = 0;
    while (numbers.has(lowest)) lowest++;
    await limit(node, "nofile", `${lowest}`);
  },
  "a daemon without memory": async ({ cluster }) => {
    const node = oneOf(cluster.nodes);
    const size = await shell(
      node,
      `awk '/VmSize/ { print $2 * 1024 }' /proc/${node.pid}/status`,
    );
    await limit(node, "as", `${Number(size) + 20_000}`);
  },
};
