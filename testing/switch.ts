/**
 * The switch that the nodes of a private cluster are plugged into. A program of
 * its own, in a network namespace of its own; takes orders from a socket.
 *
 * @module
 */

import { once } from "node:events";
import { rename } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { type Libc, openLibc } from "./libc.ts";
import { LOOPBACK, Network } from "./netlink.ts";
import { type Impairment, Relay } from "./relay.ts";

/** One node, as the switch sees it. */
export interface SwitchPort {
  /** The node's id. */
  readonly id: number;
  /** A process on it. */
  readonly pid: number;
  /** The IPv4 address that it is to have. */
  readonly address: string;
}

/** What the program is started with, as JSON. */
export interface SwitchPlan {
  /** Where to put the socket for orders. */
  readonly socket: string;
  /** The nodes, in the order in which {@linkcode Traffic} counts them. */
  readonly ports: readonly SwitchPort[];
}

/** Who can reach whom, and how well. */
export interface Traffic extends Impairment {
  /** The parts that the cluster is in, each of them a list of nodes from 0. */
  readonly sides: readonly (readonly number[])[];
}

/** Where interfaces have their indexes, so that they need not be looked up. */
const PORTS = 1_000;
const BRIDGES = 2_000;

/** The index of the interface on a node. */
const ON_NODE = 2;

class Switch {
  #libc: Libc;
  #network: Network;
  #ports: { index: number; address: Uint8Array }[];
  #traffic: Traffic;
  #relay: Relay | undefined;
  #changed: Promise<unknown> = Promise.resolve();

  constructor(libc: Libc, ports: readonly SwitchPort[]) {
    this.#libc = libc;
    this.#network = new Network(libc);
    this.#traffic = { sides: [[...ports.keys()]], loss: 0, delay: 0 };
    this.#ports = ports.map((_, port) => ({
      index: PORTS + port,
      // 2: assigned by no manufacturer
      address: Uint8Array.of(2, 0, 0, 0, port >> 8, port),
    }));
    // One bridge for each side that there could be.
    for (const side of ports.keys()) {
      this.#network.addBridge(BRIDGES + side, `side${side}`);
    }
    for (const [port, { id, pid, address }] of ports.entries()) {
      this.#network.addCable({
        index: this.#ports[port].index,
        name: `node${id}`,
        peer: pid,
        peerIndex: ON_NODE,
        peerName: "eth0",
        peerAddress: this.#ports[port].address,
      });
      this.#network.attach(this.#ports[port].index, BRIDGES);
      using node = new Network(libc, `/proc/${pid}/ns/net`);
      node.raise(LOOPBACK);
      node.setAddress(ON_NODE, address);
      node.raise(ON_NODE);
    }
  }

  /**
   * Changes the traffic when all changes before are made, and says what it is
   * then. Where nothing is to be changed, nothing on its way is lost.
   */
  direct(change: Partial<Traffic>): Promise<Traffic> {
    const changed = this.#changed.then(() => this.#change(change));
    this.#changed = changed.catch(() => {});
    return changed;
  }

  async #change(change: Partial<Traffic>): Promise<Traffic> {
    if (Object.keys(change).length === 0) return this.#traffic;
    const traffic = { ...this.#traffic, ...change };
    const { sides, loss, delay } = traffic;
    const sideOf = (port: number) =>
      sides.findIndex((side) => side.includes(port));
    const relayed = loss > 0 || delay > 0;
    await this.#relay?.stop();
    this.#relay = undefined;
    for (const [port, { index }] of this.#ports.entries()) {
      this.#network.attach(index, relayed ? undefined : BRIDGES + sideOf(port));
    }
    if (relayed) {
      const passes = (from: number, to: number) => sideOf(from) === sideOf(to);
      this.#relay = new Relay(this.#libc, this.#ports, passes, traffic);
    }
    return this.#traffic = traffic;
  }
}

/** The argument with which the command line runs the switch; the plan follows. */
export const SWITCH = "--switch";

/** Runs a switch until it is ended, and has nothing to return. */
export async function runSwitch(
  { socket, ports }: SwitchPlan,
): Promise<never> {
  const device = new Switch(openLibc(), ports);
  const server = createServer(async (connection) => {
    const lines = createInterface(connection);
    // Whoever asks may be killed before the answer has come.
    for (const one of [connection, lines]) one.on("error", () => {});
    // An order is a line, and so is the answer.
    const answer = await once(lines, "line")
      .then(([order]) => device.direct(JSON.parse(order)))
      .catch((error) => ({ error: String(error) }));
    connection.end(`${JSON.stringify(answer)}\n`);
  });
  server.listen(`${socket}.new`);
  await once(server, "listening");
  // From when whoever sees it can connect to it.
  await rename(`${socket}.new`, socket);
  return new Promise(() => {});
}

/** Gives an order to the switch behind a socket, and says what holds then. */
export async function direct(
  socket: string,
  change: Partial<Traffic>,
): Promise<Traffic> {
  const connection = connect(socket);
  connection.write(`${JSON.stringify(change)}\n`);
  const answer = JSON.parse(await text(connection));
  if (answer.error !== undefined) throw new Error(answer.error);
  return answer;
}
