/**
 * Taking events out of libcpg by callbacks in JavaScript. `cpg_dispatch` runs
 * on another thread, from where each callback hops to this one: called on this
 * thread, it would leave V8 no stack to run a callback on.
 *
 * @module
 */
import {
  confchgCallback,
  type CpgConfchg,
  type CpgDeliver,
  type CpgTotemConfchg,
  deliverCallback,
  totemConfchgCallback,
} from "./callbacks.ts";
import type { Callbacks } from "./connection.ts";
import type { Dispatcher, Take } from "./dispatch.ts";
import { CsDispatch, CsError } from "./ffi.ts";
import { type GroupEvent, toChanges, toMembers } from "./events.ts";
import { viewOf } from "./native/deno.ts";
import type { Libcpg } from "./libcpg.ts";
import type { NativeCallback } from "./native/port.ts";
import { Poller } from "./poller.ts";
import {
  type CpgAddress,
  readCpgAddresses,
  SIZEOF_CPG_ADDRESS,
} from "./structs.ts";

/** The most events that are taken at a time. */
const BATCH = 128;

/** What a callback has come to. */
type Outcome = { event: GroupEvent } | { error: unknown };

/** Takes events out of one connection by callbacks in JavaScript. */
export class CallbackDispatcher implements Dispatcher {
  readonly receiving = "callbacks";
  readonly callbacks: Callbacks;
  readonly #libcpg: Libcpg;
  readonly #native: NativeCallback[];
  /** What the callback has made of the event. */
  #outcome: Outcome | undefined;

  constructor(libcpg: Libcpg) {
    this.#libcpg = libcpg;
    const deliver = deliverCallback(this.#deliver);
    const confchg = confchgCallback(this.#confchg);
    const totemConfchg = totemConfchgCallback(this.#totemConfchg);
    this.#native = [deliver, confchg, totemConfchg];
    this.callbacks = {
      deliver: deliver.address,
      confchg: confchg.address,
      totemConfchg: totemConfchg.address,
    };
  }

  async run(
    handle: bigint,
    room: () => number,
    _mayLend: boolean,
    take: Take,
  ): Promise<number> {
    let result: number = CsError.CS_OK;
    for (let count = 0; count < BATCH && room() > 0; count++) {
      this.#outcome = undefined;
      result = await Poller.of(this.#libcpg).elsewhere(() =>
        this.#libcpg.async.cpg_dispatch(handle, CsDispatch.ONE_NONBLOCKING)
      );
      // The callback has set it meanwhile.
      const outcome = this.#outcome as Outcome | undefined;
      if (result !== CsError.CS_OK || !outcome) break;
      if ("error" in outcome) throw outcome.error;
      take(outcome.event);
    }
    return result;
  }

  close(): void {
    for (const native of this.#native) native.close();
  }

  /** Keeps an event, or why there is none: what a callback throws is lost. */
  #keep(make: () => GroupEvent): void {
    try {
      this.#outcome = { event: make() };
    } catch (error) {
      this.#outcome = { error };
    }
  }

  readonly #deliver: CpgDeliver = (_h, _g, nodeId, pid, message, length) =>
    this.#keep(() => {
      const data = length === 0n
        ? new Uint8Array()
        : new Uint8Array(viewOf(message, Number(length)).slice());
      return { type: "message", data, sender: { nodeId, pid } };
    });

  readonly #confchg: CpgConfchg = (_h, _g, ...lists) =>
    this.#keep(() => {
      const [members, memberCount, left, leftCount, joined, joinedCount] =
        lists;
      return {
        type: "membership",
        members: toMembers(addresses(members, Number(memberCount))),
        joined: toChanges(addresses(joined, Number(joinedCount))),
        left: toChanges(addresses(left, Number(leftCount))),
      };
    });

  readonly #totemConfchg: CpgTotemConfchg = (_h, ringId, count, nodes) =>
    this.#keep(() => ({
      type: "ring",
      ringId,
      nodes: [...new Uint32Array(viewOf(nodes, count * 4))],
    }));
}

function addresses(address: bigint, count: number): CpgAddress[] {
  if (count === 0) return [];
  const view = new DataView(viewOf(address, count * SIZEOF_CPG_ADDRESS));
  return readCpgAddresses(view, 0, count);
}
