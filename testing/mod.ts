/**
 * A private corosync in one call, to try things out and for tests: without
 * root, without a configuration, and without a trace once it has ended.
 *
 * Run as a program, it starts corosync, runs a command beside it, and exits
 * with the command's status:
 *
 * ```sh
 * deno run -A testing/mod.ts -- deno test -A
 * ```
 *
 * There is no network in there but loopback, so download what the command
 * needs beforehand (`deno cache`). A program started like this gets at the
 * daemon with {@linkcode CorosyncNode.ambient}, to kill, freeze or restart it;
 * the environment variable `COROSYNC_TESTING` names the node's folder.
 * To start a corosync from a program, use {@linkcode startCorosync}.
 *
 * Needs Linux, the tools of util-linux and all permissions (`-A`). If corosync
 * is not installed, Debian's or Ubuntu's packages are fetched and unpacked into
 * `.corosync/`, with nothing installed on the system.
 *
 * @module
 */

export {
  PrivateCorosync,
  startCorosync,
  type StartOptions,
} from "./corosync.ts";
export type { Isolated, Isolation } from "./isolation.ts";
export { CorosyncNode, type NodeSettings, type WaitOptions } from "./node.ts";
export type { NodeAddress } from "./config.ts";
export type { Corosync, FindOptions } from "./packages.ts";
export type { Place, PlaceProcess } from "./place.ts";

if (import.meta.main) {
  const { main } = await import("./cli.ts");
  Deno.exit(await main(Deno.args));
}
