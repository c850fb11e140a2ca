/**
 * What a member of a process group can do.
 *
 * @module
 */
import { abortable, Ending } from "./abortable.ts";
import { Confirmations } from "./confirmations.ts";
import type { Receiving } from "./dispatch.ts";
import { CpgError } from "./errors.ts";
import type { GroupEvent, Member } from "./events.ts";
import { Inbox } from "./inbox.ts";
import type { SendBufferOptions, SendOptions, WaitOptions } from "./options.ts";
import type { SessionOptions } from "./session.ts";
import { Sending } from "./sending.ts";
import { type Owner, Sessions } from "./sessions.ts";
import { checkSize, type ZeroCopyBuffer } from "./zcb.ts";

/** How to make a group. */
export interface GroupOptions extends SessionOptions {
  readonly highWaterMark: number;
  readonly reconnect: boolean;
}

/** Joins a group. */
export let openGroup: (
  options: GroupOptions,
  signal?: AbortSignal,
) => Promise<Group>;

/**
 * One process's membership in a process group, from `join`.
 *
 * It is an async iterable of what happens in the group: messages, membership
 * changes and ring changes, in the order in which every member sees them. One
 * reader at a time. What is not read is kept by the daemon, in its memory.
 *
 * After {@linkcode leave} or {@linkcode close} every method throws the same
 * CpgError with the code `CS_ERR_BAD_HANDLE`, and what was pending rejects. So
 * it is when the daemon is lost, unless the group reconnects: then what was
 * pending rejects, and everything else waits until it has.
 */
export class Group implements AsyncIterable<GroupEvent>, AsyncDisposable {
  static {
    openGroup = async (options, signal) => {
      const group = new Group(options);
      try {
        await group.#sessions.open(signal);
        return group;
      } catch (error) {
        await group.close();
        throw error;
      }
    };
  }

  /** The group's name. */
  readonly name: string;
  readonly #options: GroupOptions;
  readonly #inbox: Inbox;
  readonly #confirmations = new Confirmations();
  readonly #sessions: Sessions;
  readonly #sending: Sending;
  readonly #ending = new Ending();
  #left: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  private constructor(options: GroupOptions) {
    this.name = options.name;
    this.#options = options;
    this.#inbox = new Inbox(
      options.highWaterMark,
      () => this.#sessions.current?.receiver.resume(),
      () => this.#sessions.current?.receiver.pull(),
      (event) => this.#confirmations.process(event, this.self),
    );
    this.#sessions = new Sessions(options, this.#owner(), this.#ending);
    this.#sending = new Sending(
      options.name,
      this.#sessions,
      this.#confirmations,
      this.#ending,
      () => this.#checkOpen(),
    );
  }

  /** This member: its node and its process. */
  get self(): Member {
    return this.#sessions.self;
  }

  /** How it receives. */
  get receiving(): Receiving {
    return this.#sessions.receiving;
  }

  /**
   * Sends a message to all members, this one included. Sends keep their order;
   * where corosync is busy (`CS_ERR_TRY_AGAIN`) they wait. Do not change the
   * bytes before the promise resolves: corosync has taken the message then.
   *
   * Messages above 1,047,552 bytes travel in fragments, and fail with
   * `CS_ERR_INTERRUPT` if the membership changes in between. Where corosync is
   * behind with them, libcpg itself writes `sleep. counter=…` to standard error.
   *
   * @param data A message of 0 to 2,147,483,647 bytes; an array of
   * `Uint8Array`s is one message, too. (`cpg_mcast_joined`)
   * @throws {TypeError} If `data` is something else.
   * @throws {RangeError} If it is too large.
   * @throws {CpgError} If the group is closed, or the send fails.
   */
  send(
    data: Uint8Array | readonly Uint8Array[],
    options?: SendOptions,
  ): Promise<void>;
  /**
   * Sends the content of a zero-copy buffer, which may be changed and sent
   * again when the promise has resolved. (`cpg_zcb_mcast_joined`)
   *
   * @throws {TypeError} If the buffer is another group's, freed, or its
   * `ArrayBuffer` is transferred away.
   * @throws {RangeError} If offset and length are not whole numbers within the
   * buffer.
   * @throws {CpgError} If the group is closed, or the send fails.
   */
  send(buffer: ZeroCopyBuffer, options?: SendBufferOptions): Promise<void>;
  send(
    data: Uint8Array | readonly Uint8Array[] | ZeroCopyBuffer,
    options: SendBufferOptions = {},
  ): Promise<void> {
    return this.#sending.send(data, options);
  }

  /**
   * Sends a message, and resolves when it has come back at its place in the
   * total order and this group's reader is done with it: has asked for the
   * next event. What the reader does with messages has then been done with
   * every message up to this one, on which replicated state can be built.
   *
   * The group has to be read for that; so do not await it inside the loop that
   * reads.
   *
   * @throws As {@linkcode send}; if the daemon is lost before the message has
   * come back, a CpgError with `delivery: "unknown"`.
   *
   * @example A counter that all members agree on
   * ```ts
   * import { join } from "@corosync/cpg";
   *
   * const group = await join("counter");
   * let count = 0;
   * const counting = (async () => {
   *   for await (const event of group) if (event.type === "message") count++;
   * })();
   * await group.sendAndConfirm(new Uint8Array());
   * console.log(count >= 1); // true: the loop has counted it
   * await group.leave();
   * await counting;
   * ```
   */
  sendAndConfirm(
    data: Uint8Array | readonly Uint8Array[],
    options?: SendOptions,
  ): Promise<void>;
  /** The same with a zero-copy buffer. */
  sendAndConfirm(
    buffer: ZeroCopyBuffer,
    options?: SendBufferOptions,
  ): Promise<void>;
  sendAndConfirm(
    data: Uint8Array | readonly Uint8Array[] | ZeroCopyBuffer,
    options: SendBufferOptions = {},
  ): Promise<void> {
    return this.#sending.sendAndConfirm(data, options);
  }

  /**
   * Sends a message if corosync takes it at once.
   *
   * @param data As for {@linkcode send}, up to 1,047,552 bytes.
   * @returns Whether it was sent; if not, nothing has happened.
   * @throws {RangeError} If the message is too large to be sent at once.
   */
  trySend(data: Uint8Array | readonly Uint8Array[]): boolean {
    return this.#sending.trySend(data);
  }

  /**
   * Sends messages, in order, for as long as corosync takes them at once. For
   * many small messages that costs less than a call for each. Each call looks
   * at all of the list, so give it some hundreds at a time.
   *
   * @param messages Each of up to 1,047,552 bytes. (`cpg_mcast_joined`)
   * @returns How many were sent, from the first one on. With the others nothing
   * has happened: `await group.send` of the first of them waits until corosync
   * takes more.
   * @throws {TypeError} If they are something else, or the bytes of one have
   * been transferred away; none is sent then.
   * @throws {RangeError} If one is too large to be sent at once; none is sent.
   * @throws {CpgError} If the group is closed, the daemon is lost, or the first
   * fails. If another one fails, trying to send it again throws.
   *
   * @example Sending a thousand messages
   * ```ts
   * import { join } from "@corosync/cpg";
   *
   * await using group = await join("batches");
   * const messages = Array.from({ length: 1000 }, (_, i) => Uint8Array.of(i));
   * for (let sent = 0; sent < messages.length;) {
   *   await group.send(messages[sent++]);
   *   sent += group.trySendAll(messages.slice(sent, sent + 256));
   * }
   * ```
   */
  trySendAll(messages: readonly Uint8Array[]): number {
    return this.#sending.trySendAll(messages);
  }

  /**
   * Allocates memory shared with the daemon, to fill and send without a copy.
   *
   * @param size In bytes, from 1 to 2,147,483,591. Up to 1,047,552 are sent
   * without copying them. (`cpg_zcb_alloc`)
   * @throws {RangeError} If the size is something else.
   * @throws {CpgError} `CS_ERR_NO_SPACE` if `/dev/shm` has no room, with how
   * much is free.
   */
  async alloc(
    size: number,
    options: WaitOptions = {},
  ): Promise<ZeroCopyBuffer> {
    const { signal } = options;
    this.#checkOpen();
    checkSize(size);
    return await this.#sessions.use(
      (session) => session.alloc(size, signal),
      signal,
    );
  }

  /**
   * Asks the daemon who belongs to the group now. The stream tells it, too, at
   * its place between the messages. (`cpg_membership_get`)
   */
  async members(options: WaitOptions = {}): Promise<Member[]> {
    const { signal } = options;
    const doing = `Cannot list the members of ${JSON.stringify(this.name)}`;
    this.#checkOpen();
    return await this.#sessions.use(
      (session) => session.members(doing, signal),
      signal,
    );
  }

  /** What happens in the group from now on, in order; one reader at a time. */
  [Symbol.asyncIterator](): AsyncIterableIterator<GroupEvent> {
    return this.#inbox.read();
  }

  /**
   * Reads the next event if it is there. For many small messages that costs
   * less than awaiting each: inside a `for await`, which waits for the first of
   * them, and which alone learns of the end. Nobody else is to call it, for the
   * event before counts as processed then. (`cpg_dispatch`)
   *
   * @returns The event, or nothing where one would have to wait for it.
   * @throws {TypeError} If another reader is waiting.
   *
   * @example Reading all that has come
   * ```ts
   * import { type GroupEvent, join } from "@corosync/cpg";
   *
   * await using group = await join("batches");
   * for await (const first of group) {
   *   let event: GroupEvent | undefined = first;
   *   for (; event; event = group.tryRead()) console.log(event.type);
   *   break;
   * }
   * ```
   */
  tryRead(): GroupEvent | undefined {
    return this.#inbox.tryRead();
  }

  /** The same as a web stream; it locks the group to this one reader. */
  get readable(): ReadableStream<GroupEvent> {
    return ReadableStream.from<GroupEvent>(this);
  }

  /**
   * Sends what is written to it, each chunk a message, as fast as corosync
   * takes them. Closing it does not leave the group.
   */
  get writable(): WritableStream<Uint8Array> {
    return new WritableStream({ write: (data) => this.send(data) });
  }

  /**
   * Leaves the group when all sends are done, and closes. The stream ends
   * after everything up to this member's own departure. Leaving again does
   * nothing. (`cpg_leave`, `cpg_finalize`)
   *
   * @param options A signal to stop waiting; leaving goes on.
   */
  leave(options: WaitOptions = {}): Promise<void> {
    this.#left ??= this.#closed ?? this.#leave();
    return abortable(this.#left, undefined, options.signal);
  }

  /**
   * Closes at once: the stream ends, what is pending rejects, buffers are
   * freed; the others see that the process is gone. Resolves when the daemon
   * knows. Closing again does nothing. (`cpg_finalize`)
   *
   * @param options A signal to stop waiting; closing goes on.
   */
  close(options: WaitOptions = {}): Promise<void> {
    const error = this.#closedError("it has been closed");
    const closing = this.#close(error);
    this.#inbox.clear();
    this.#confirmations.abandon(error);
    return abortable(closing, undefined, options.signal);
  }

  /** Leaves the group, or closes it where that fails. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.leave();
    } catch {
      await this.close();
    }
  }

  #checkOpen(): void {
    this.#ending.check();
    if (this.#left) throw this.#closedError("it has been left");
  }

  #closedError(why: string, cause?: unknown): CpgError {
    return new CpgError(
      `Group ${JSON.stringify(this.name)} is closed`,
      "cpg_finalize",
      "CS_ERR_BAD_HANDLE",
      { remedy: `${why}; join again`, cause },
    );
  }

  async #leave(): Promise<void> {
    const session = this.#sessions.current;
    try {
      await session?.leave();
    } catch (error) {
      if (!session?.connection.ending.ended) throw error;
    }
    await this.#close(this.#closedError("it has been left"));
  }

  /** What the sessions are to do with events, and with the loss of the daemon. */
  #owner(): Owner {
    const [inbox, confirmations] = [this.#inbox, this.#confirmations];
    return {
      get room() {
        return inbox.room;
      },
      get idle() {
        return inbox.idle;
      },
      push: (event) => {
        confirmations.receive(event, this.self);
        inbox.push(event);
      },
      lost: (error) => {
        // What was received stays readable.
        if (this.#options.reconnect && !this.#left && !this.#ending.ended) {
          inbox.push({ type: "disconnected", error });
          confirmations.end(this.#sending.doing, error);
          return true;
        }
        inbox.end(error);
        this.#close(this.#closedError("the daemon was lost", error));
        return false;
      },
      refused: (error) => {
        inbox.end(error);
        this.#close(this.#closedError("it could not be joined again", error));
      },
    };
  }

  #close(error: CpgError): Promise<void> {
    return this.#closed ??= this.#cleanUp(error);
  }

  async #cleanUp(error: CpgError): Promise<void> {
    this.#ending.end(error);
    this.#inbox.end();
    this.#confirmations.end(this.#sending.doing, error);
    await this.#sessions.close(error);
  }
}
