/**
 * The way in: from the descriptor that becomes readable, through
 * `cpg_dispatch`, to the inbox of the group.
 *
 * @module
 */
import type { Connection } from "./connection.ts";
import type { Dispatcher } from "./dispatch.ts";
import { CpgError } from "./errors.ts";
import type { GroupEvent, Member } from "./events.ts";
import { CsError } from "./ffi.ts";
import { Poller, POLLGONE, POLLIN, type Watch } from "./poller.ts";

/** Events taken in one go, before the event loop gets its turn. */
const BATCH = 128;

/** Where events go. */
export interface Sink {
  /** Whether it wants no more for now. */
  readonly full: boolean;
  /** Takes the next event. */
  push(event: GroupEvent): void;
}

/** Brings what corosync delivers into a group's inbox. */
export class Receiver {
  readonly #connection: Connection;
  readonly #dispatcher: Dispatcher;
  readonly #inbox: Sink;
  readonly #self: Member;
  readonly #broken: (failure: CpgError | number) => void;
  readonly #arrived = Promise.withResolvers<void>();
  readonly #departed = Promise.withResolvers<void>();
  #watch: Watch | undefined;
  /** What `#watch` waits for. */
  #watched = 0;
  #dispatching: Promise<void> | undefined;
  #leaving = false;
  #stopped = false;

  /**
   * @param broken Called with a result code or an error when nothing more can
   * be received.
   */
  constructor(
    connection: Connection,
    dispatcher: Dispatcher,
    inbox: Sink,
    self: Member,
    broken: (failure: CpgError | number) => void,
  ) {
    this.#connection = connection;
    this.#dispatcher = dispatcher;
    this.#inbox = inbox;
    this.#self = self;
    this.#broken = broken;
  }

  /** Goes on where a full inbox, or nothing to read, made it pause. */
  resume(): void {
    if (this.#dispatching || this.#stopped) return;
    // With a full inbox, only the loss of the daemon is of interest.
    const events = this.#wanted ? POLLIN : 0;
    if (this.#watch && this.#watched === events) return;
    this.#watch?.cancel();
    this.#watched = events;
    this.#watch = Poller.of(this.#connection.libcpg).watch(
      this.#connection.fd,
      events,
      (revents) => {
        this.#watch = undefined;
        this.#dispatching = this.#dispatch(revents);
      },
    );
  }

  /** Resolves when this member's own arrival is in the inbox. */
  get arrival(): Promise<void> {
    return this.#arrived.promise;
  }

  /**
   * Takes everything up to this member's own departure, full inbox or not;
   * resolves when that is in the inbox.
   */
  untilDeparture(): Promise<void> {
    this.#leaving = true;
    this.resume();
    return this.#departed.promise;
  }

  /** Stops; resolves when libcpg is no longer in use. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([this.#watch?.cancel(), this.#dispatching]);
  }

  async #dispatch(revents: number): Promise<void> {
    let failure: CpgError | number | undefined;
    try {
      failure = await this.#take(revents);
    } catch (error) {
      failure = unreceived(error);
    }
    this.#dispatching = undefined;
    if (this.#stopped) return;
    if (failure === undefined) this.resume();
    else this.#broken(failure);
  }

  /**
   * Takes events until none is left, or none is wanted.
   *
   * @returns What the connection has broken with, if it has.
   */
  async #take(revents: number): Promise<number | undefined> {
    const poller = Poller.of(this.#connection.libcpg);
    let count = 0;
    // Sends that wait go before the next events, and the daemon has work.
    if (this.#connection.progress()) await poller.turn();
    while (this.#wanted) {
      count = 0;
      const { handle } = this.#connection;
      const result = await this.#dispatcher.run(handle, (event) => {
        this.#inbox.push(event);
        this.#note(event);
        return ++count < BATCH && this.#wanted;
      });
      if (isFatal(result)) return result;
      if (count === 0) break;
      this.#connection.progress();
      await poller.turn();
    }
    const gone = (revents & POLLGONE) !== 0 && count === 0;
    return gone ? CsError.CS_ERR_LIBRARY : undefined;
  }

  get #wanted(): boolean {
    return !this.#stopped && (this.#leaving || !this.#inbox.full);
  }

  #note(event: GroupEvent): void {
    if (event.type !== "membership") return;
    const { nodeId, pid } = this.#self;
    const lists = (members: readonly Member[]) =>
      members.some((member) => member.nodeId === nodeId && member.pid === pid);
    // Above 128 members libcpg writes the one list over the other.
    if (lists(event.members) && !lists(event.left)) {
      this.#arrived.resolve();
    } else {
      // It can come before the reply to cpg_leave does.
      this.#stopped = true;
      this.#departed.resolve();
    }
  }
}

function isFatal(result: number): boolean {
  return result !== CsError.CS_OK && result !== CsError.CS_ERR_TRY_AGAIN;
}

/** An event has come that there is no memory for, and is lost. */
function unreceived(error: unknown): CpgError {
  if (error instanceof CpgError) return error;
  return new CpgError("Cannot receive", "cpg_dispatch", "CS_ERR_NO_MEMORY", {
    remedy: `${error}; make less of it wait at a time (highWaterMark)`,
    cause: error,
  });
}
