/**
 * The order of a group's sends.
 *
 * @module
 */
import type { Connection, Request } from "./connection.ts";
import { CpgError, CsError, type Delivery } from "./errors.ts";

/** A send; its `attempt` answers at once if it is `immediate`. */
export interface Send extends Request {
  readonly immediate: boolean;
  /**
   * Called when libcpg is done with it, taken or not: that can be after the
   * connection has ended, and the send has been rejected.
   */
  readonly done?: () => void;
}

interface Pending {
  readonly send: Send;
  readonly signal: AbortSignal | undefined;
  /** Whether libcpg has been given it, and has not said to try again. */
  given: boolean;
  resolve(place: number): void;
  reject(error: unknown): void;
}

/** Makes the sends of a group in the order in which they are asked for. */
export class Outbox {
  readonly #connection: Connection;
  #pending: Pending[] = [];
  #running: Promise<void> = Promise.resolve();
  #taken = 0;
  /** What has shown that the daemon is gone: what follows is not given to it. */
  #lost: CpgError | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
    connection.ending.onEnd((reason) => this.#giveUp(reason as CpgError));
  }

  /** How many messages corosync has taken: the place of the last of them. */
  get taken(): number {
    return this.#taken;
  }

  /** Sends at once, or says that it cannot now. */
  trySend(send: Send): boolean {
    if (!send.immediate || this.#pending.length > 0) return false;
    if (this.#lost) throw undelivered(send, this.#lost, "none");
    try {
      const taken = this.#connection.try(send);
      if (taken) this.#taken++;
      return taken;
    } catch (error) {
      throw this.#failure(send, error);
    }
  }

  /** Whether what is sent now may go at once; may look at the socket. */
  isClear(): boolean {
    return this.#pending.length === 0 && !this.#connection.refused &&
      this.#connection.maySend();
  }

  /**
   * Sends when all sends before it are done with.
   *
   * @returns The place of the message among those that corosync has taken.
   */
  send(send: Send, signal?: AbortSignal): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const given = false;
    this.#pending.push({ send, signal, given, resolve, reject });
    if (this.#pending.length === 1) this.#running = this.#run();
    return promise;
  }

  /** Resolves when there is nothing to send. */
  async flush(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    for (; this.#pending.length > 0; this.#pending.shift()) {
      const pending = this.#pending[0];
      try {
        if (this.#lost) throw undelivered(pending.send, this.#lost, "none");
        await this.#deliver(pending);
        pending.resolve(++this.#taken);
      } catch (error) {
        pending.reject(this.#failure(pending.send, error));
      } finally {
        pending.send.done?.();
      }
    }
  }

  async #deliver(pending: Pending): Promise<void> {
    const { send, signal } = pending;
    signal?.throwIfAborted();
    if (send.immediate && !this.#connection.refused) {
      if (!this.#connection.maySend()) await this.#connection.untilWritable();
      this.#connection.ending.check();
      pending.given = true;
      if (this.#connection.try(send)) return;
      pending.given = false;
    }
    await this.#connection.call({
      ...send,
      attempt: async (memory) => {
        pending.given = true;
        const result = await send.attempt(memory);
        pending.given = result !== CsError.CS_ERR_TRY_AGAIN;
        return result;
      },
    }, signal);
  }

  /** The error of a send; the first to fail may be what shows the daemon lost. */
  #failure(send: Send, error: unknown): unknown {
    if (
      this.#lost || !(error instanceof CpgError) ||
      error.code !== "CS_ERR_LIBRARY"
    ) return error;
    this.#lost = error;
    return undelivered(send, error, "unknown");
  }

  /** The connection ends: says of each send what may have become of it. */
  #giveUp(reason: CpgError): void {
    for (const { send, given, reject } of this.#pending) {
      reject(undelivered(send, reason, given ? "unknown" : "none"));
    }
  }
}

function undelivered(
  { doing, call }: Send,
  cause: CpgError,
  delivery: Delivery,
): CpgError {
  const outcome = delivery === "none"
    ? "the message was not sent"
    : "the message may or may not be delivered";
  return new CpgError(doing, call, cause.value, {
    remedy: `${cause.message}; ${outcome}`,
    cause,
    delivery,
  });
}
