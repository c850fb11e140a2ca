/**
 * A private corosync in one call, or a cluster of several that break on
 * purpose, to try things out and for tests: without root, without a
 * configuration, and without a trace once it has ended.
 *
 * Run as a program, it starts corosync, runs a command beside it, and exits
 * with the command's status; with `--nodes`, there are further nodes:
 *
 * ```sh
 * deno run -A testing/mod.ts -- deno test -A
 * deno run -A testing/mod.ts --nodes 3 -- deno test -A
 * ```
 *
 * There is no network in there but loopback and that of the cluster, so
 * download what the command needs beforehand (`deno cache`). A program started
 * like this gets at its daemon with {@linkcode CorosyncNode.ambient}, to kill,
 * freeze or restart it, and at all nodes and the network between them with
 * {@linkcode Cluster.ambient}; the environment variable `COROSYNC_TESTING`
 * names the node's folder. To start a cluster from a program, use
 * {@linkcode startCluster}.
 *
 * Needs Linux, the tools of util-linux and all permissions (`-A`). If corosync
 * is not installed, Debian's or Ubuntu's packages are fetched and unpacked into
 * `.corosync/`, with nothing installed on the system.
 *
 * @module
 */

import process from "node:process";

export { Cluster } from "./cluster.ts";
export { PrivateCluster, startCluster, type StartOptions } from "./start.ts";
export type { Isolated, Isolation } from "./isolation.ts";
export {
  CorosyncNode,
  type NodeSettings,
  type View,
  type WaitOptions,
} from "./node.ts";
export type { NodeAddress, Totem } from "./config.ts";
export type { Corosync, FindOptions } from "./packages.ts";
export type { Place, PlaceProcess } from "./place.ts";
export type {
  Process,
  ProcessOutput,
  ProcessStatus,
  SpawnOptions,
  Stdio,
} from "./process.ts";

if (import.meta.main) {
  import("./cli.ts").then(async ({ main }) => {
    process.exit(await main(process.argv.slice(2)));
  });
}
