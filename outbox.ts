/**
 * The order of a group's sends.
 *
 * @module
 */
import {
  type Batch,
  type Connection,
  FIRST_PAUSE,
  type Named,
  type Request,
} from "./connection.ts";
import { CpgError, CsError } from "./errors.ts";
import { Poller } from "./poller.ts";
import { Queue } from "./queue.ts";

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
  /** The first is being made, or waits for its next attempt. */
  readonly #pending = new Queue<Pending>();
  /** Who waits until there is nothing to send. */
  readonly #flushing: (() => void)[] = [];
  /** How many messages corosync has taken: the place of the last of them. */
  #taken = 0;
  /** How long to wait if corosync refuses the next one, in milliseconds. */
  #wait = FIRST_PAUSE;
  /** What has shown that the daemon is gone: what follows is not given to it. */
  #lost: CpgError | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
    connection.ending.onEnd((reason) => this.#giveUp(reason as CpgError));
  }

  /** Sends at once, or says that it cannot now. */
  trySend(send: Send): boolean {
    return send.immediate &&
      this.#tryNow(send, () => Number(this.#connection.try(send))) > 0;
  }

  /** Sends at once what can be; says how many messages. */
  trySendAll(batch: Batch): number {
    return this.#tryNow(batch, () => this.#connection.trySome(batch));
  }

  #tryNow(what: Named, attempt: () => number): number {
    if (this.#pending.length > 0) return 0;
    const given = !this.#lost;
    try {
      if (this.#lost) throw this.#lost;
      const taken = attempt();
      this.#taken += taken;
      return taken;
    } catch (error) {
      throw this.#failure(what, given, error);
    }
  }

  /** Whether what is sent now may go at once; may look at the socket. */
  isClear(): boolean {
    return this.#pending.length === 0 && !this.#lost &&
      !this.#connection.refused && this.#connection.maySend();
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
    if (this.#pending.length === 1) this.#run();
    return promise;
  }

  /** Resolves when there is nothing to send. */
  async flush(): Promise<void> {
    if (this.#pending.length === 0) return;
    await new Promise<void>((resolve) => this.#flushing.push(resolve));
  }

  /**
   * Makes one send after the other until one has to wait: without a promise
   * between them, for under load every send waits.
   */
  #run(): void {
    while (this.#pending.length > 0) {
      const pending = this.#pending.first!;
      try {
        if (!this.#deliver(pending)) return;
        this.#succeed(pending);
      } catch (error) {
        this.#fail(pending, error);
      }
    }
  }

  /** Makes a send; false if that goes on, and `#run` will. */
  #deliver(pending: Pending): boolean {
    const { send, signal } = pending;
    const connection = this.#connection;
    signal?.throwIfAborted();
    if (this.#lost) {
      // Who sends again what was not sent must not keep the loss from sight.
      const lost = this.#lost;
      const turn = Poller.of(connection.libcpg).turn();
      this.#after(pending, turn.then(() => Promise.reject(lost)), false);
      return false;
    }
    connection.ending.check();
    if (send.immediate && !connection.refused) {
      if (!connection.maySend()) {
        connection.onWritable(() => this.#run());
        return false;
      }
      pending.given = true;
      if (connection.try(send)) return true;
      pending.given = false;
    }
    if (send.immediate && connection.refused) {
      connection.onProgress(this.#wait, (wait) => {
        this.#wait = wait;
        this.#run();
      });
      return false;
    }
    this.#after(pending, this.#request(pending), true);
    return false;
  }

  /** Makes a send when all requests before it are done. */
  #request(pending: Pending): Promise<void> {
    const { send, signal } = pending;
    return this.#connection.call({
      ...send,
      attempt: async (memory) => {
        pending.given = true;
        const result = await send.attempt(memory);
        pending.given = result !== CsError.CS_ERR_TRY_AGAIN;
        return result;
      },
    }, signal);
  }

  /** Goes on after something that was waited for, with which it may be done. */
  async #after(
    pending: Pending,
    waited: Promise<void>,
    done: boolean,
  ): Promise<void> {
    try {
      await waited;
      if (done) this.#succeed(pending);
    } catch (error) {
      this.#fail(pending, error);
    }
    this.#run();
  }

  #succeed({ send, resolve }: Pending): void {
    this.#wait = FIRST_PAUSE;
    resolve(++this.#taken);
    this.#finish(send);
  }

  #fail({ send, given, reject }: Pending, error: unknown): void {
    reject(this.#failure(send, given, error));
    this.#finish(send);
  }

  #finish(send: Send): void {
    send.done?.();
    this.#pending.shift();
    if (this.#pending.length > 0) return;
    for (const resolve of this.#flushing.splice(0)) resolve();
  }

  /** The error of a send; the first to fail may be what shows the daemon lost. */
  #failure(
    { doing, call }: Named,
    given: boolean,
    error: unknown,
  ): unknown {
    const lost = this.#connection.ending.ended || this.#lost ||
      error instanceof CpgError && error.code === "CS_ERR_LIBRARY";
    if (!lost || !(error instanceof CpgError)) return error;
    const cause = this.#lost ??= error;
    const outcome = given
      ? "the message may or may not be delivered"
      : "the message was not sent";
    return new CpgError(doing, call, cause.value, {
      remedy: `${cause.message}; ${outcome}`,
      cause,
      delivery: given ? "unknown" : "none",
    });
  }

  /** The connection ends: says of each send what may have become of it. */
  #giveUp(reason: CpgError): void {
    for (const { send, given, reject } of this.#pending.values()) {
      reject(this.#failure(send, given, reason));
    }
  }
}
