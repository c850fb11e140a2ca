/**
 * The order of a group's sends.
 *
 * @module
 */
import type { Connection, Request } from "./connection.ts";

/** A send; its `attempt` answers at once if it is `immediate`. */
export interface Send extends Request {
  /** Whether it never waits for the daemon. */
  readonly immediate: boolean;
}

interface Pending {
  readonly send: Send;
  readonly signal: AbortSignal | undefined;
  resolve(): void;
  reject(error: unknown): void;
}

const sent = Promise.resolve();

/** Makes the sends of a group in the order in which they are asked for. */
export class Outbox {
  readonly #connection: Connection;
  readonly #pending: Pending[] = [];
  #running: Promise<void> = sent;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Sends at once, or says that it cannot now. */
  trySend(send: Send): boolean {
    return send.immediate && this.#pending.length === 0 &&
      this.#connection.try(send);
  }

  /** Sends when all sends before it are done with. */
  send(send: Send, signal?: AbortSignal): Promise<void> {
    if (this.trySend(send)) return sent;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#pending.push({ send, signal, resolve, reject });
    if (this.#pending.length === 1) this.#running = this.#run();
    return promise;
  }

  /** Resolves when there is nothing to send. */
  async flush(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    for (; this.#pending.length > 0; this.#pending.shift()) {
      const { send, signal, resolve, reject } = this.#pending[0];
      try {
        signal?.throwIfAborted();
        while (send.immediate && !this.#connection.writable()) {
          await this.#connection.untilWritable();
        }
        await this.#connection.call(send, signal);
        resolve();
      } catch (error) {
        reject(error);
      }
    }
  }
}
