/**
 * The ways of a group's messages out of it, over whatever session there is.
 *
 * @module
 */
import { abortable, type Ending } from "./abortable.ts";
import type { Confirmations } from "./confirmations.ts";
import { CpgError } from "./errors.ts";
import * as multicast from "./multicast.ts";
import type { SendBufferOptions } from "./options.ts";
import type { Sessions } from "./sessions.ts";
import { allocationOf, checkPart, ZeroCopyBuffer } from "./zcb.ts";

/** What `send` takes. */
type Data = Uint8Array | readonly Uint8Array[] | ZeroCopyBuffer;

const sent = Promise.resolve();

/** Sends a group's messages; `Group` says what its methods do. */
export class Sending {
  /** What an error's message begins with. */
  readonly doing: string;
  readonly #sessions: Sessions;
  readonly #confirmations: Confirmations;
  readonly #ending: Ending;
  readonly #checkOpen: () => void;

  constructor(
    name: string,
    sessions: Sessions,
    confirmations: Confirmations,
    ending: Ending,
    checkOpen: () => void,
  ) {
    this.doing = `Cannot send to group ${JSON.stringify(name)}`;
    this.#sessions = sessions;
    this.#confirmations = confirmations;
    this.#ending = ending;
    this.#checkOpen = checkOpen;
  }

  send(data: Data, options: SendBufferOptions): Promise<void> {
    try {
      checkPart(data, options);
      this.#checkOpen();
      const session = this.#sessions.current;
      if (session && !options.signal && !(data instanceof ZeroCopyBuffer)) {
        const { connection, outbox } = session;
        const send = multicast.message(connection, this.doing, data);
        // The usual case, for which no promise has to be made.
        if (outbox.isClear() && outbox.trySend(send)) return sent;
        return outbox.send(send).then(() => {});
      }
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#send(data, options).then(() => {});
  }

  async sendAndConfirm(data: Data, options: SendBufferOptions): Promise<void> {
    checkPart(data, options);
    const { place, ending } = await this.#send(data, options);
    if (ending.ended || this.#ending.ended) {
      throw new CpgError(this.doing, "cpg_dispatch", "CS_ERR_BAD_HANDLE", {
        remedy: "the connection ended; the message may or may not be delivered",
        delivery: "unknown",
      });
    }
    const confirmed = this.#confirmations.wait(place);
    await abortable(confirmed, undefined, options.signal);
  }

  trySend(data: Uint8Array | readonly Uint8Array[]): boolean {
    this.#checkOpen();
    const session = this.#sessions.current;
    if (!session) return false;
    const { connection, outbox } = session;
    const send = multicast.message(connection, this.doing, data);
    if (!send.immediate) {
      throw multicast.tooLarge(this.doing, connection.maxAtomicSize);
    }
    return outbox.trySend(send);
  }

  trySendAll(messages: readonly Uint8Array[]): number {
    this.#checkOpen();
    const session = this.#sessions.current;
    if (!session) return 0;
    const { connection, outbox } = session;
    return outbox.trySendAll(
      new multicast.Several(connection, this.doing, messages),
    );
  }

  /** Sends, and says as which one corosync has taken it in this session. */
  async #send(
    data: Data,
    options: SendBufferOptions,
  ): Promise<{ place: number; ending: Ending }> {
    this.#checkOpen();
    const { signal } = options;
    return await this.#sessions.use(
      async ({ connection, outbox }) => {
        const { ending } = connection;
        const send = data instanceof ZeroCopyBuffer
          ? multicast.buffer(
            connection,
            this.doing,
            allocationOf(data),
            options,
          )
          : multicast.message(connection, this.doing, data);
        const sending = outbox.send(send, signal);
        return { place: await abortable(sending, undefined, signal), ending };
      },
      signal,
    );
  }
}
