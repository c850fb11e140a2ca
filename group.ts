/**
 * What a member of a process group can do.
 *
 * @module
 */
import { abortable } from "./abortable.ts";
import type { Connection } from "./connection.ts";
import type { Dispatcher, Receiving } from "./dispatch.ts";
import { CpgError } from "./errors.ts";
import type { GroupEvent, Member } from "./events.ts";
import { Inbox } from "./inbox.ts";
import * as multicast from "./multicast.ts";
import { Outbox } from "./outbox.ts";
import { Receiver } from "./receiver.ts";
import { change, membership } from "./requests.ts";
import {
  allocate,
  type Allocation,
  allocationOf,
  ZeroCopyBuffer,
} from "./zcb.ts";

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

/** What a joined group is made of. */
export interface GroupParts {
  readonly name: string;
  readonly groupName: Uint8Array;
  readonly connection: Connection;
  readonly dispatcher: Dispatcher;
  readonly highWaterMark: number;
  readonly self: Member;
}

/** Makes a group of a connection that has joined one. */
export let makeGroup: (parts: GroupParts) => Group;
/** Resolves when the members agree that a group's member is one of them. */
export let arrivalOf: (group: Group, signal?: AbortSignal) => Promise<void>;

/**
 * One process's membership in a process group, from `join`.
 *
 * It is an async iterable of what happens in the group: messages, membership
 * changes and ring changes, in the order in which every member sees them. One
 * reader at a time. Whoever stops reading slows down the cluster's senders.
 *
 * After {@linkcode leave} or {@linkcode close}, or when the connection to the
 * daemon is lost, every method throws the same CpgError with the code
 * `CS_ERR_BAD_HANDLE`, and what was pending rejects with it.
 */
export class Group implements AsyncIterable<GroupEvent>, AsyncDisposable {
  static {
    makeGroup = (parts) => new Group(parts);
    arrivalOf = (group, signal) =>
      group.#until(group.#receiver.arrival, signal);
  }

  /** The group's name. */
  readonly name: string;
  /** This member: its node and its process. */
  readonly self: Member;
  /** How it receives. */
  readonly receiving: Receiving;
  readonly #groupName: Uint8Array;
  readonly #connection: Connection;
  readonly #dispatcher: Dispatcher;
  readonly #inbox: Inbox;
  readonly #outbox: Outbox;
  readonly #receiver: Receiver;
  readonly #buffers = new Set<Allocation>();
  #left: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  private constructor(parts: GroupParts) {
    this.name = parts.name;
    this.self = parts.self;
    this.receiving = parts.dispatcher.receiving;
    this.#groupName = parts.groupName;
    this.#connection = parts.connection;
    this.#dispatcher = parts.dispatcher;
    this.#inbox = new Inbox(parts.highWaterMark, () => this.#receiver.resume());
    this.#outbox = new Outbox(parts.connection);
    this.#receiver = new Receiver(
      parts.connection,
      parts.dispatcher,
      this.#inbox,
      parts.self,
      (result) => this.#break(result),
    );
    this.#receiver.resume();
  }

  /**
   * Sends a message to all members, this one included. Sends keep their order;
   * where corosync is busy (`CS_ERR_TRY_AGAIN`) they wait. Do not change the
   * bytes before the promise resolves: corosync has taken the message then.
   *
   * Messages above 1,047,552 bytes travel in fragments, and fail with
   * `CS_ERR_INTERRUPT` if the membership changes in between.
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
  async send(
    data: Uint8Array | readonly Uint8Array[] | ZeroCopyBuffer,
    options: SendBufferOptions = {},
  ): Promise<void> {
    this.#checkOpen();
    const { signal } = options;
    signal?.throwIfAborted();
    if (!(data instanceof ZeroCopyBuffer)) {
      const send = multicast.message(this.#connection, this.#doing, data);
      if (this.#outbox.trySend(send)) return;
      return await this.#until(this.#outbox.send(send, signal), signal);
    }
    const allocation = allocationOf(data);
    allocation.check(this.#connection);
    const { size } = allocation;
    const { offset = 0, length = size - offset } = options;
    if (
      !Number.isInteger(offset) || !Number.isInteger(length) ||
      offset < 0 || length < 0 || offset + length > size
    ) {
      throw new RangeError(
        `${this.#doing}: ${length} bytes from ${offset} on are not within the buffer of ${size} bytes`,
      );
    }
    const sending = this.#outbox.send(
      multicast.buffer(
        this.#connection,
        this.#doing,
        allocation,
        offset,
        length,
      ),
      signal,
    );
    await this.#until(allocation.during(sending), signal);
  }

  /**
   * Sends a message if corosync takes it at once.
   *
   * @param data As for {@linkcode send}, up to 1,047,552 bytes.
   * @returns Whether it was sent; if not, nothing has happened.
   * @throws {RangeError} If the message is too large to be sent at once.
   */
  trySend(data: Uint8Array | readonly Uint8Array[]): boolean {
    this.#checkOpen();
    const send = multicast.message(this.#connection, this.#doing, data);
    if (!send.immediate) {
      throw new RangeError(
        `${this.#doing}: more than ${this.#connection.maxAtomicSize} bytes cannot be sent at once; use send`,
      );
    }
    return this.#outbox.trySend(send);
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
  async alloc(size: number): Promise<ZeroCopyBuffer> {
    this.#checkOpen();
    return await this.#until(
      allocate(this.#connection, size, this.#buffers),
    );
  }

  /**
   * Asks the daemon who belongs to the group now. The stream tells it, too, at
   * its place between the messages. (`cpg_membership_get`)
   */
  async members(options: { signal?: AbortSignal } = {}): Promise<Member[]> {
    this.#checkOpen();
    const doing = `Cannot list the members of ${JSON.stringify(this.name)}`;
    return await this.#until(
      membership(this.#connection, doing, this.#groupName),
      options.signal,
    );
  }

  /** What happens in the group from now on, in order; one reader at a time. */
  [Symbol.asyncIterator](): AsyncIterableIterator<GroupEvent> {
    return this.#inbox.read();
  }

  /**
   * Leaves the group when all sends are done, and closes. The stream ends
   * after everything up to this member's own departure. Leaving again does
   * nothing. (`cpg_leave`, `cpg_finalize`)
   */
  leave(): Promise<void> {
    return this.#left ??= this.#closed ?? this.#leave();
  }

  /**
   * Closes at once: the stream ends, what is pending rejects, buffers are
   * freed; the others see that the process is gone. Resolves when the daemon
   * knows. Closing again does nothing. (`cpg_finalize`)
   */
  close(): Promise<void> {
    this.#inbox.clear();
    return this.#close();
  }

  /** Leaves the group, or closes it where that fails. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.leave();
    } catch {
      await this.close();
    }
  }

  get #doing(): string {
    return `Cannot send to group ${JSON.stringify(this.name)}`;
  }

  #checkOpen(): void {
    this.#connection.ending.check();
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

  /** Waits, unless the group is closed or the signal aborts before. */
  #until<T>(promise: Promise<T>, signal?: AbortSignal): Promise<T> {
    return abortable(promise, this.#connection.ending, signal);
  }

  async #leave(): Promise<void> {
    const doing = `Cannot leave group ${JSON.stringify(this.name)}`;
    const connection = this.#connection;
    try {
      await this.#until(
        this.#outbox.send(
          change(connection, doing, "cpg_leave", this.#groupName),
        ),
      );
      await this.#until(this.#receiver.untilDeparture());
    } catch (error) {
      if (!connection.ending.ended) throw error;
    }
    await this.#close();
  }

  /** The connection is lost: what was read stays readable, then the error. */
  #break(result: number): void {
    const error = new CpgError(
      `Group ${JSON.stringify(this.name)} has lost the daemon`,
      "cpg_dispatch",
      result,
    );
    this.#inbox.end(error);
    this.#close("the daemon was lost", error);
  }

  #close(
    why = "it has been left or closed",
    cause: unknown = undefined,
  ): Promise<void> {
    return this.#closed ??= this.#cleanUp(this.#closedError(why, cause));
  }

  async #cleanUp(error: CpgError): Promise<void> {
    this.#inbox.end();
    this.#connection.ending.end(error);
    await this.#receiver.stop();
    await this.#outbox.flush();
    // A buffer that is just being allocated is to be freed, too.
    await this.#connection.exclusive(() => Promise.resolve());
    await Promise.all(Array.from(this.#buffers, (buffer) => buffer.release()));
    await this.#connection.finalize();
    this.#dispatcher.close();
  }
}
