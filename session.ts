/**
 * A group's connection to the daemon and all that lives on it, from joining to
 * leaving, closing, or losing the daemon. A group that reconnects has several,
 * one after the other.
 *
 * @module
 */
import { abortable } from "./abortable.ts";
import { Connection } from "./connection.ts";
import { type Dispatcher, openDispatcher, type Receiving } from "./dispatch.ts";
import { CpgError } from "./errors.ts";
import type { Member } from "./events.ts";
import type { Libcpg } from "./libcpg.ts";
import { Outbox } from "./outbox.ts";
import { Receiver, type Sink } from "./receiver.ts";
import { change, localNodeId, membership } from "./requests.ts";
import { allocate, type Allocation, type ZeroCopyBuffer } from "./zcb.ts";

/** What to join, and how. */
export interface SessionOptions {
  /** The group's name, for people. */
  readonly name: string;
  /** The group's name, for corosync. */
  readonly groupName: Uint8Array;
  readonly libcpg: Libcpg;
  readonly receiving: Receiving | undefined;
  /** Whether messages may be lent to the reader. */
  readonly lend: boolean;
}

/** A membership in a group over one connection. */
export class Session {
  readonly self: Member;
  readonly connection: Connection;
  readonly outbox: Outbox;
  readonly receiver: Receiver;
  readonly #options: SessionOptions;
  readonly #dispatcher: Dispatcher;
  readonly #buffers = new Set<Allocation>();
  #closed: Promise<void> | undefined;

  /** Calls this with an error when the daemon is lost. */
  #lost: (error: CpgError) => void;

  private constructor(
    options: SessionOptions,
    connection: Connection,
    dispatcher: Dispatcher,
    self: Member,
    sink: Sink,
    lost: (error: CpgError) => void,
  ) {
    this.#options = options;
    this.connection = connection;
    this.#dispatcher = dispatcher;
    this.self = self;
    this.#lost = lost;
    this.outbox = new Outbox(connection);
    const broken = (failure: CpgError | number) => {
      const doing = `Group ${JSON.stringify(options.name)} has lost the daemon`;
      this.#lost(
        typeof failure === "number"
          ? new CpgError(doing, "cpg_dispatch", failure)
          : failure,
      );
    };
    const { lend } = options;
    this.receiver = new Receiver(
      connection,
      dispatcher,
      lend,
      sink,
      self,
      broken,
    );
    this.receiver.resume();
  }

  /**
   * Connects and joins; leaves nothing behind where that fails.
   *
   * @param lost Called when the daemon is lost after that.
   */
  static async open(
    options: SessionOptions,
    sink: Sink,
    lost: (error: CpgError) => void,
    signal?: AbortSignal,
  ): Promise<Session> {
    const { libcpg, groupName } = options;
    const doing = `Cannot join group ${JSON.stringify(options.name)}`;
    const dispatcher = openDispatcher(
      libcpg,
      options.receiving,
      options.lend,
    );
    let connection: Connection | undefined;
    let session: Session | undefined;
    try {
      connection = await Connection.open(libcpg, dispatcher.callbacks, doing);
      const nodeId = await localNodeId(connection, doing, signal);
      const self = { nodeId, pid: libcpg.calls.getpid() };
      await connection.call(
        change(connection, doing, "cpg_join", groupName),
        signal,
      );
      const early = Promise.withResolvers<never>();
      let lostEarly: CpgError | undefined;
      session = new Session(
        options,
        connection,
        dispatcher,
        self,
        sink,
        (error) => early.reject(lostEarly = error),
      );
      const arrival = Promise.race([session.receiver.arrival, early.promise]);
      await abortable(arrival, connection.ending, signal);
      // The daemon may have died right behind the arrival.
      if (lostEarly) throw lostEarly;
      session.#lost = lost;
      return session;
    } catch (error) {
      if (session) {
        await session.close(error as CpgError);
      } else {
        await connection?.finalize();
        dispatcher.close();
      }
      throw error;
    }
  }

  /** How events come out of libcpg. */
  get receiving(): Receiving {
    return this.#dispatcher.receiving;
  }

  /** `cpg_zcb_alloc` */
  async alloc(size: number, signal?: AbortSignal): Promise<ZeroCopyBuffer> {
    const { connection } = this;
    const allocating = allocate(connection, size, this.#buffers, signal);
    try {
      return await abortable(allocating, connection.ending, signal);
    } catch (error) {
      allocating.then((buffer) => buffer.free(), () => {});
      throw error;
    }
  }

  /** `cpg_membership_get` */
  async members(doing: string, signal?: AbortSignal): Promise<Member[]> {
    const { connection } = this;
    const { groupName } = this.#options;
    const asking = membership(connection, doing, groupName, signal);
    return await abortable(asking, connection.ending, signal);
  }

  /**
   * Leaves when all sends are done; resolves when everything up to this
   * member's own departure has been received.
   */
  async leave(): Promise<void> {
    const { name, groupName } = this.#options;
    const doing = `Cannot leave group ${JSON.stringify(name)}`;
    await this.outbox.flush();
    await this.connection.call(
      change(this.connection, doing, "cpg_leave", groupName),
    );
    await abortable(this.receiver.untilDeparture(), this.connection.ending);
  }

  /**
   * Rejects what is pending with the error, frees buffers and handle; resolves
   * when libcpg and the daemon are done with it.
   *
   * @param lost Whether nobody asked for it, so that something may still be
   * reading buffers.
   */
  close(error: CpgError, lost = false): Promise<void> {
    return this.#closed ??= this.#close(error, lost);
  }

  async #close(error: CpgError, lost: boolean): Promise<void> {
    this.connection.ending.end(error);
    await this.receiver.stop();
    await this.outbox.flush();
    // A buffer that is just being allocated is to be freed, too.
    await this.connection.exclusive(() => Promise.resolve());
    await Promise.all(
      Array.from(this.#buffers, (buffer) => buffer.release(lost)),
    );
    await this.connection.finalize();
    this.#dispatcher.close();
  }
}
