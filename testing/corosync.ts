/**
 * A private corosync in one call.
 *
 * @module
 */

import { isolate, type Isolated, type Isolation } from "./isolation.ts";
import { CorosyncNode, type WaitOptions } from "./node.ts";
import { findCorosync, type FindOptions } from "./packages.ts";

/** Options of {@linkcode startCorosync}. */
export interface StartOptions extends FindOptions, WaitOptions {
  /** The only way of isolation to try. By default the first that works. */
  readonly isolation?: Isolation;
}

/** A running private corosync. It ends with {@linkcode end}, or with us. */
export class PrivateCorosync implements AsyncDisposable {
  /** The node it runs on. */
  readonly node: CorosyncNode;

  #isolated: Isolated;

  /** Wraps what {@linkcode startCorosync} has started. */
  constructor(isolated: Isolated, node: CorosyncNode) {
    this.#isolated = isolated;
    this.node = node;
  }

  /** Which way of isolation it uses. */
  get isolation(): Isolation {
    return this.#isolated.isolation;
  }

  /**
   * Ends the daemon and every process on its node, and removes what they have
   * left. Does nothing the second time.
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
 * Finds or fetches corosync, isolates a place for it, starts it there, and
 * waits until it answers. The machine's own corosync, if one runs, is neither
 * used nor disturbed.
 *
 * Throws an `Error` that says what to do if any of this fails.
 *
 * @example Run a command beside a private corosync
 * ```ts
 * import { startCorosync } from "@corosync/cpg/testing";
 *
 * await using corosync = await startCorosync();
 * const groups = corosync.node.spawn(["corosync-cpgtool"]);
 * console.log((await groups.status).code);
 * ```
 */
export async function startCorosync(
  { isolation, fetched, folder, timeout }: StartOptions = {},
): Promise<PrivateCorosync> {
  const corosync = await findCorosync({ fetched, folder });
  const isolated = await isolate(isolation && [isolation]);
  try {
    const id = 1;
    const node = await CorosyncNode.create(
      isolated.place,
      { id, folder: isolated.folder, corosync },
      [{ id, address: "127.0.0.1" }],
    );
    await node.start({ timeout });
    return new PrivateCorosync(isolated, node);
  } catch (error) {
    await isolated.end();
    throw error;
  }
}
