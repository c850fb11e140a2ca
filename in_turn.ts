/**
 * Calls of libcpg that must not overlap, whichever connection they are for.
 *
 * @module
 */
import type { Libcpg } from "./libcpg.ts";
import { Poller } from "./poller.ts";

/** Of each library, the last call that had to be made in turn. */
const turns = new WeakMap<Libcpg, Promise<unknown>>();

/**
 * Makes a call when all calls before it that were made so have returned. That
 * are those which add or remove a handle, for libqb's tables of handles are not
 * made for two at once, and would give both the same place; and those which
 * first look whether there is room, lest another takes it in between.
 */
export function inTurn<T>(
  libcpg: Libcpg,
  call: () => Promise<T>,
): Promise<T> {
  const turn = (turns.get(libcpg) ?? Promise.resolve())
    .then(() => Poller.of(libcpg).elsewhere(call));
  turns.set(libcpg, turn.catch(() => {}));
  return turn;
}
