/**
 * A private corosync in one call, or a cluster of several.
 *
 * @module
 */

import { FURTHER_NODE, START_IN_BACKGROUND } from "./anchor.ts";
import { Cluster, SWITCH_SOCKET } from "./cluster.ts";
import type { NodeAddress } from "./config.ts";
import {
  checkIsolation,
  isolate,
  type Isolated,
  type Isolation,
  program,
} from "./isolation.ts";
import { type NodeSettings, timeoutOf, type WaitOptions } from "./node.ts";
import { findCorosync, type FindOptions } from "./packages.ts";
import { SWITCH, type SwitchPlan } from "./switch.ts";

/** The ways of isolation that give a network of one's own. */
const NETWORKED: Isolation[] = ["namespaces", "user-namespaces"];

/** The process that holds the first node, by its process id there. */
const ANCHOR = 1;

/** As many as there are addresses. */
const MOST_NODES = 254;

/** The shortest that corosync takes, in milliseconds. */
const SHORTEST_TOKEN = 30;

/** Options of {@linkcode startCluster}. */
export interface StartOptions extends FindOptions, WaitOptions {
  /** How many nodes, from 1 to 254. By default 1. */
  readonly nodes?: number;
  /**
   * After how many milliseconds of silence a node is taken for dead (`token` in
   * corosync.conf), from 30. By default 1,000.
   */
  readonly token?: number;
  /** The only way of isolation to try. By default the first that works. */
  readonly isolation?: Isolation;
}

/** A running private cluster. It ends with {@linkcode end}, or with us. */
export class PrivateCluster extends Cluster implements AsyncDisposable {
  #isolated: Isolated;

  /** Wraps what {@linkcode startCluster} has started. */
  constructor(isolated: Isolated, settings: NodeSettings) {
    super(isolated.place, settings);
    this.#isolated = isolated;
  }

  /** Which way of isolation it uses. */
  get isolation(): Isolation {
    return this.#isolated.isolation;
  }

  /**
   * Ends the daemons and every process on their nodes, and removes what they
   * have left. Does nothing the second time.
   */
  end(): Promise<void> {
    return this.#isolated.end();
  }

  /** The same as {@linkcode end}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }
}

/**
 * Finds or fetches corosync, isolates a place for each node, connects them,
 * starts the daemons, and waits until they know each other. The machine's own
 * corosync, if one runs, is neither used nor disturbed.
 *
 * Throws an `Error` that says what to do if any of this fails, and before that
 * a `RangeError` for an option that cannot be.
 *
 * @example Run a command beside a private corosync
 * ```ts
 * import { startCluster } from "@corosync/cpg/testing";
 *
 * await using cluster = await startCluster();
 * const groups = cluster.nodes[0].spawn(["corosync-cpgtool"]);
 * console.log((await groups.status).code);
 * ```
 *
 * @example See what becomes of a node that the others cannot reach
 * ```ts
 * import { startCluster } from "@corosync/cpg/testing";
 *
 * await using cluster = await startCluster({ nodes: 3 });
 * await cluster.partition([[0], [1, 2]]);
 * await cluster.settled();
 * console.log((await cluster.nodes[0].view())?.ring); // [1]
 * await cluster.heal();
 * await cluster.settled();
 * console.log((await cluster.nodes[0].view())?.ring); // [1, 2, 3]
 * ```
 */
export async function startCluster(
  options: StartOptions = {},
): Promise<PrivateCluster> {
  const { nodes = 1, token = 1_000, isolation, fetched, folder } = options;
  const timeout = timeoutOf(options);
  if (!(Number.isInteger(nodes) && nodes >= 1 && nodes <= MOST_NODES)) {
    throw new RangeError(
      `A cluster has 1 to ${MOST_NODES} nodes, not ${nodes}`,
    );
  }
  if (!(Number.isInteger(token) && token >= SHORTEST_TOKEN)) {
    throw new RangeError(
      `The token is in whole milliseconds from ${SHORTEST_TOKEN}, not ${token}`,
    );
  }
  if (isolation !== undefined) checkIsolation(isolation);
  const several = nodes > 1;
  const corosync = await findCorosync({ fetched, folder });
  const isolated = await isolate(
    isolation ? [isolation] : several ? NETWORKED : undefined,
  );
  try {
    const addresses = several
      ? await connect(isolated, nodes)
      : [{ id: 1, address: "127.0.0.1", pid: ANCHOR }];
    const cluster = new PrivateCluster(isolated, {
      id: 1,
      folder: isolated.folder,
      corosync,
      cluster: { nodes: addresses, token },
    });
    await Promise.all(cluster.nodes.map(async (node) => {
      await node.setUp();
      await node.start({ timeout });
    }));
    if (several) await cluster.settled({ timeout });
    return cluster;
  } catch (error) {
    await isolated.end();
    throw error;
  }
}

/**
 * Makes further nodes beside the first, and a network between all of them.
 * They have the first one's process ids and end with it.
 */
async function connect(
  { isolation, place, folder }: Isolated,
  count: number,
): Promise<NodeAddress[]> {
  if (!NETWORKED.includes(isolation)) {
    throw new Error(`Several nodes need namespaces: ${isolation} is for one`);
  }
  const further = ["--net", "--mount", "--ipc", "sh", "-c", FURTHER_NODE];
  const pids = await Promise.all(
    Array.from(
      { length: count - 1 },
      async () => Number(await place.run(["unshare", ...further, folder])),
    ),
  );
  const nodes = [ANCHOR, ...pids].map((pid, index) => {
    const id = index + 1;
    return { id, pid, address: `10.0.0.${id}` };
  });
  const socket = `${folder}/${SWITCH_SOCKET}`;
  const plan: SwitchPlan = { socket, ports: nodes };
  await place.run([
    ...["sh", "-c", START_IN_BACKGROUND, socket, "unshare", "--net"],
    ...program(SWITCH, JSON.stringify(plan)),
  ]);
  return nodes;
}
