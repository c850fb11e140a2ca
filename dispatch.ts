/**
 * Taking events out of libcpg. `cpg_dispatch` called on this thread leaves V8
 * no stack to run a callback on, so there are two ways around that.
 *
 * @module
 */
import type { Callbacks } from "./connection.ts";
import { CallbackDispatcher } from "./dispatch_callbacks.ts";
import { RecordingDispatcher } from "./dispatch_recorder.ts";
import type { GroupEvent } from "./events.ts";
import type { Libcpg } from "./libcpg.ts";

/**
 * How a group receives. `"recorder"`: a few hundred bytes of machine code
 * record each event, and `cpg_dispatch` runs on this thread; as fast as C.
 * `"callbacks"`: `cpg_dispatch` runs on another thread, from where each event
 * hops to this one; it works on every processor, at a tenth of the speed.
 */
export type Receiving = "recorder" | "callbacks";

/** Called with each event that comes out of libcpg. */
export type Take = (event: GroupEvent) => void;

/** Takes events out of one connection. */
export interface Dispatcher {
  /** Which way this is. */
  readonly receiving: Receiving;
  /** What libcpg is to call. */
  readonly callbacks: Callbacks;
  /**
   * Takes some of the events that are there.
   *
   * @param room Says how much more is wanted, in bytes as
   * {@linkcode eventSize} has it. The last event is the one that reaches or
   * exceeds it.
   * @param mayLend Whether nobody needs the messages any more that were lent.
   * @returns CS_ERR_TRY_AGAIN when nothing is left, CS_OK when there may be
   * more, anything else when the connection is broken. CS_OK without an event is
   * a fragment that is not a message's last, or a broken connection.
   */
  run(
    handle: bigint,
    room: () => number,
    mayLend: boolean,
    take: Take,
  ): number | Promise<number>;
  /** Frees the callbacks, once the connection is finalized. */
  close(): void;
}

/** The dispatcher that is asked for, or the best that works here. */
export function openDispatcher(
  libcpg: Libcpg,
  receiving: Receiving | undefined,
  lend: boolean,
): Dispatcher {
  if (receiving === "callbacks") return new CallbackDispatcher(libcpg);
  const recording = RecordingDispatcher.open(libcpg, lend);
  if (recording) return recording;
  if (receiving === undefined) return new CallbackDispatcher(libcpg);
  throw new TypeError(
    'Cannot receive with the recorder: there is none for this processor, or the system refuses executable memory; leave out `receiving`, or set it to "callbacks"',
  );
}
