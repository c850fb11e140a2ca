/**
 * Brings up the loopback interface of the network namespace it runs in. Only a
 * process inside the namespace can do it.
 *
 * @module
 */

import { openLibc } from "./libc.ts";
import { LOOPBACK, Network } from "./netlink.ts";

/** The argument with which the command line does it. */
export const RAISE_LOOPBACK = "--raise-loopback";

/** Brings it up; throws if the kernel refuses. */
export function raiseLoopback(): void {
  using network = new Network(openLibc());
  network.raise(LOOPBACK);
}
