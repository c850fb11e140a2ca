/**
 * Brings up the loopback interface of the network namespace it runs in. A
 * program of its own, because only a process inside the namespace can do it.
 *
 * @module
 */

import { openLibc } from "./libc.ts";
import { LOOPBACK, Network } from "./netlink.ts";

using network = new Network(openLibc());
network.raise(LOOPBACK);
