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
}

/**
 * The text of a `corosync.conf` that makes a cluster of the given nodes, with
 * the daemon's own state in `folder`. It is the same on every node.
 *
 * Neither real-time scheduling nor the root control group is asked for: both
 * would need rights on the machine. The log goes to standard error, which
 * has it from the first line on, configuration errors included.
 */
export function corosyncConf(
  nodes: readonly NodeAddress[],
  folder: string,
): string {
  return [
    section("totem", {
      version: 2,
      cluster_name: "testing",
      transport: "knet",
      crypto_cipher: "none",
      crypto_hash: "none",
    }),
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
    "nodelist {\n",
    ...nodes.map(({ id, address }) =>
      section("node", { nodeid: id, name: `node${id}`, ring0_addr: address })
    ),
    "}\n",
  ].join("");
}

function section(name: string, entries: Record<string, string | number>) {
  const lines = Object.entries(entries).map(([key, value]) =>
    `  ${key}: ${value}\n`
  );
  return `${name} {\n${lines.join("")}}\n`;
}
