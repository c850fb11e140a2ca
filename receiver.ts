/**
 * The way in: from the descriptor that becomes readable, through
 * `cpg_dispatch`, to the inbox of the group.
 *
 * @module
 */
import type { Connection } from "./connection.ts";
import type { Dispatcher } from "./dispatch.ts";
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
  readonly #broken: (result: number) => void;
  readonly #arrived = Promise.withResolvers<void>();
  readonly #departed = Promise.withResolvers<void>();
  #watch: Watch | undefined;
  /** What `#watch` waits for. */
  #watched = 0;
  #dispatching: Promise<void> | undefined;
  #leaving = false;
  #stopped = false;

  /** @param broken Called with a result code when the connection is lost. */
  constructor(
    connection: Connection,
    dispatcher: Dispatcher,
    inbox: Sink,
    self: Member,
    broken: (result: number) => void,
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

  /** Takes events until none is left, or none is wanted. */
  async #dispatch(revents: number): Promise<void> {
    const poller = Poller.of(this.#connection.libcpg);
    let result: number = CsError.CS_OK;
    let count = 0;
    // Sends that wait go before the next events, and the daemon has work.
    if (this.#connection.progress()) await poller.turn();
    while (this.#wanted) {
      count = 0;
      result = await this.#dispatcher.run(this.#connection.handle, (event) => {
        this.#inbox.push(event);
        this.#note(event);
        return ++count < BATCH && this.#wanted;
      });
      if (count === 0 || isFatal(result)) break;
      this.#connection.progress();
      await poller.turn();
    }
    this.#dispatching = undefined;
    if (this.#stopped) return;
    if (isFatal(result)) this.#broken(result);
    else if ((revents & POLLGONE) && count === 0) {
      this.#broken(CsError.CS_ERR_LIBRARY);
    } else this.resume();
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
