/**
 * The nodes of a private cluster, and the network between them.
 *
 * @module
 */

import {
  ambientSettings,
  CorosyncNode,
  type NodeSettings,
  timeoutOf,
  type View,
  type WaitOptions,
} from "./node.ts";
import { pause, Place } from "./place.ts";
import { direct, type Traffic } from "./switch.ts";

/** Where the switch takes orders, in the folder of the first node. */
export const SWITCH_SOCKET = "switch";

/**
 * The nodes of a private cluster, and the network between them, to be broken
 * on purpose. Nodes are counted from 0 here, while their ids count from 1.
 */
export class Cluster {
  /** The nodes. */
  readonly nodes: readonly CorosyncNode[];

  /** Where the switch takes orders; none if there is but one node. */
  #socket: string | undefined;

  /** The cluster of the node in that place, which has been set up for it. */
  constructor(place: Place, { id, ...settings }: NodeSettings) {
    const { nodes } = settings.cluster;
    const places = nodes.map((node) =>
      node.id === id ? place : place.of(node.pid)
    );
    this.nodes = nodes.map((node, index) =>
      new CorosyncNode(places[index], { ...settings, id: node.id })
    );
    if (nodes.length > 1) {
      this.#socket = `${places[0].root}${settings.folder}/${SWITCH_SOCKET}`;
    }
  }

  /**
   * The cluster that this process was started in. Throws an `Error` if it was
   * started outside of any.
   */
  static ambient(): Cluster {
    return new Cluster(new Place(), ambientSettings());
  }

  /**
   * Divides the network: only nodes of the same side reach each other. A node
   * that is on no side reaches nobody.
   *
   * @param sides Lists of nodes, counted from 0.
   * @throws {RangeError} If a node is named twice, or there is no such node.
   */
  async partition(
    sides: readonly (readonly number[])[],
  ): Promise<void> {
    const named = sides.flat();
    for (const [index, node] of named.entries()) {
      if (!(node in this.nodes)) {
        throw new RangeError(
          `There is no node ${node}; the cluster has 0 to ${
            this.nodes.length - 1
          }`,
        );
      }
      if (named.indexOf(node) !== index) {
        throw new RangeError(`Node ${node} cannot be on two sides`);
      }
    }
    const alone = [...this.nodes.keys()].filter((node) => !named.includes(node))
      .map((node) => [node]);
    const occupied = sides.filter((side) => side.length > 0);
    await this.#direct({ sides: [...occupied, ...alone] });
  }

  /** Undoes {@linkcode partition}: every node reaches every other again. */
  async heal(): Promise<void> {
    await this.#direct({ sides: [[...this.nodes.keys()]] });
  }

  /**
   * Makes the network bad, or good again where nothing is asked for. Each
   * packet from one node to another is concerned. For an ordinary user more is
   * lost of what is sent at once, if `net.core.rmem_max` is as small as it often
   * is.
   *
   * @param impairment `loss` is the share of packets that get lost, from 0 to
   * 1, and `delay` is how long a packet takes, in milliseconds. By default 0.
   * @throws {RangeError} If one of them is something else.
   */
  async impair(
    { loss = 0, delay = 0 }: { loss?: number; delay?: number },
  ): Promise<void> {
    if (!(loss >= 0 && loss <= 1)) {
      throw new RangeError(`The loss is from 0 to 1, not ${loss}`);
    }
    if (!(delay >= 0 && delay < Infinity)) {
      throw new RangeError(`The delay is in milliseconds, not ${delay}`);
    }
    await this.#direct({ loss, delay });
  }

  /**
   * Waits until the cluster has come to rest: on each side of the network, the
   * daemons that run know each other and nobody else, list the same members of
   * the same groups, and pass the ring's token on. In an idle cluster that takes
   * a fifth of the time after which a silent node is taken for dead.
   *
   * Throws an `Error` that says what each daemon knows if that takes too long.
   */
  async settled(options?: WaitOptions): Promise<void> {
    const timeout = timeoutOf(options);
    const deadline = Date.now() + timeout;
    /** What daemons knew that seemed to have settled. */
    let before: (View | undefined)[] | undefined;
    for (;;) {
      const { sides } = await this.#direct({});
      const seen = await Promise.all(sides.map((side) => this.#look(side)));
      const views = seen.flatMap(({ views }) => views);
      if (!seen.every(isSettled)) before = undefined;
      else {
        before ??= views;
        // A daemon that has lost its ring knows the old one until there is a new.
        if (views.every((view, i) => view?.tokens !== before?.[i]?.tokens)) {
          return;
        }
      }
      if (Date.now() > deadline) {
        throw new Error(
          `The cluster is not settled after ${timeout} ms: ${
            JSON.stringify(seen)
          }`,
        );
      }
      await pause(50);
    }
  }

  async #look(side: readonly number[]): Promise<SideView> {
    const running = side.map((index) => this.nodes[index])
      .filter((node) => node.running);
    const views = await Promise.all(running.map((node) => node.view()));
    return { running: running.map(({ id }) => id), views };
  }

  async #direct(change: Partial<Traffic>): Promise<Traffic> {
    if (this.#socket === undefined) {
      if (Object.keys(change).length === 0) return ALONE;
      throw new Error("A single node has no network to change");
    }
    return await direct(this.#socket, change);
  }
}

/** The traffic of a single node. */
const ALONE: Traffic = { sides: [[0]], loss: 0, delay: 0 };

/** What is known of one side of the network. */
interface SideView {
  /** The ids of the nodes whose daemons run. */
  running: number[];
  /** What these daemons know, in the same order. */
  views: (View | undefined)[];
}

function isSettled({ running, views }: SideView): boolean {
  const ring = running.toSorted((a, b) => a - b).join();
  const groups = views[0]?.groups.join("\n");
  return views.every((view) =>
    view !== undefined &&
    view.ring.join() === ring &&
    view.groups.join("\n") === groups &&
    // A member of a node that is gone has not been noticed yet.
    view.groups.every((line) =>
      running.includes(Number(line.slice(line.lastIndexOf(" ") + 1)))
    )
  );
}
