/**
 * What joining, sending and waiting can be told.
 *
 * @module
 */
import type { Receiving } from "./dispatch.ts";

/** How to join. */
export interface JoinOptions {
  /** Gives up joining; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
  /**
   * Path or name of libcpg. Otherwise the environment variable `CPG_LIBRARY`
   * says it, if it may be read without asking, or it is looked for where
   * distributions install it.
   */
  library?: string;
  /**
   * How much may wait to be read, in bytes of messages plus 64 an event,
   * before dispatching pauses; the daemon then keeps what follows, without a
   * limit of its own. Default 1 MiB.
   */
  highWaterMark?: number;
  /**
   * Whether to come back when the daemon is lost. The stream then yields
   * `disconnected`, the group is joined again as soon as there is a daemon, and
   * the stream goes on with `reconnected`. What was pending rejects, and says
   * by its `delivery` what can have become of the message; everything else
   * waits. Buffers are freed. Default: the stream ends with a CpgError.
   */
  reconnect?: boolean;
  /**
   * Whether messages are only lent: `data` is then empty as soon as the next
   * event is asked for, or a while later, unless you have copied it
   * (`data.slice()`). Saves the memory and the copy that each message takes
   * otherwise, which counts from some kilobytes on. Default: they are yours.
   */
  lend?: boolean;
  /** How to receive. Default: the fastest way that works here. */
  receiving?: Receiving;
}

/** How long to wait. */
export interface WaitOptions {
  /** Gives up waiting; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** How to send. */
export interface SendOptions {
  /**
   * Gives up waiting; the promise rejects with the signal's reason. If
   * corosync has the message by then, it is delivered all the same.
   */
  signal?: AbortSignal;
}

/** How to send a zero-copy buffer. */
export interface SendBufferOptions extends SendOptions {
  /**
   * Where in the buffer to begin, in bytes. Only from the beginning is a send
   * zero-copy. Default 0.
   */
  offset?: number;
  /** How many bytes to send. Default: all from the offset on. */
  length?: number;
}
