/**
 * The configuration that a private corosync is started with.
 *
 * @module
 */

/** One node of a private cluster. */
export interface NodeAddress {
  /** The node id, a whole number from 1. */
  readonly id: number;
  /** The IP address that the node's daemon binds to. */
  readonly address: string;
  /** A process that holds the node's place, by its process id on the nodes. */
  readonly pid: number;
}

/** What the daemons of a private cluster have in common. */
export interface Totem {
  /** All nodes. */
  readonly nodes: readonly NodeAddress[];
  /** After how many milliseconds of silence the others are taken for dead. */
  readonly token: number;
}

/** How often a link is probed within the token's time. */
const PROBES = 10;

/**
 * The text of a `corosync.conf` that makes a cluster of the given nodes, with
 * the daemon's own state in `folder`. It is the same on every node.
 *
 * Links are probed more often than by default, so that a cluster is soon
 * complete and no link counts as broken for two lost packets.
 *
 * Neither real-time scheduling nor the root control group is asked for: both
 * would need rights on the machine. The log goes to standard error, which
 * has it from the first line on, configuration errors included.
 */
export function corosyncConf(
  { nodes, token }: Totem,
  folder: string,
): string {
  return [
    section(
      "totem",
      {
        version: 2,
        cluster_name: "testing",
        transport: "knet",
        crypto_cipher: "none",
        crypto_hash: "none",
        token,
        token_coefficient: 0, // the same for any number of nodes
      },
      section("interface", {
        linknumber: 0,
        knet_ping_interval: Math.ceil(token / PROBES),
        knet_ping_timeout: Math.ceil(token / 2),
      }),
    ),
    section("system", {
      sched_rr: "no",
      move_to_root_cgroup: "no",
      state_dir: folder,
    }),
    section("logging", {
      to_stderr: "yes",
      to_syslog: "no",
      timestamp: "hires",
    }),
    section(
      "nodelist",
      {},
      ...nodes.map(({ id, address }) =>
        section("node", { nodeid: id, name: `node${id}`, ring0_addr: address })
      ),
    ),
  ].join("");
}

function section(
  name: string,
  entries: Record<string, string | number>,
  ...sections: string[]
): string {
  const lines = Object.entries(entries).map(([key, value]) =>
    `${key}: ${value}\n`
  );
  return `${name} {\n${[...lines, ...sections].join("")}}\n`;
}
