/**
 * The way in: from the descriptor that becomes readable, through
 * `cpg_dispatch`, to the inbox of the group.
 *
 * @module
 */
import type { Connection } from "./connection.ts";
import type { Dispatcher } from "./dispatch.ts";
import { CpgError } from "./errors.ts";
import type { GroupEvent, Member, MembershipChange } from "./events.ts";
import { CsError } from "./ffi.ts";
import { Poller, POLLGONE, POLLIN, type Watch } from "./poller.ts";

/**
 * How long a reader who waits for nothing else is given one event after the
 * other, before others get their turn, in milliseconds.
 */
const LONGEST_TURN = 1;

/** By number as well: a program's tests may have stopped the clock. */
const MOST_IN_TURN = 10_000;

/**
 * After so many dispatches in a row, each of up to 128 events, that may have left
 * something, the reader is behind: its turn no longer ends for sends, with which
 * it would be the further behind. Sooner, and the reader catches up while the
 * daemon has nothing to do; never, and corosync has more than a hundred thousand
 * messages wait, at twice the cost.
 */
const BEHIND = 128;

/** Where events come from. */
export type Source = Pick<
  Connection,
  "libcpg" | "fd" | "handle" | "progress" | "hasRoomForWaiting"
>;

/** Where events go. */
export interface Sink {
  /** How much more it wants for now, in bytes; none is wanted at 0 or less. */
  readonly room: number;
  /** Whether nobody is at an event that went there, or will be. */
  readonly idle: boolean;
  /** Takes the next event. */
  push(event: GroupEvent): void;
}

/** Brings what corosync delivers into a group's inbox. */
export class Receiver {
  readonly #connection: Source;
  readonly #dispatcher: Pick<Dispatcher, "run">;
  readonly #lend: boolean;
  readonly #inbox: Sink;
  readonly #self: Member;
  readonly #broken: (failure: CpgError | number) => void;
  readonly #arrived = Promise.withResolvers<void>();
  #hasArrived = false;
  readonly #departed = Promise.withResolvers<void>();
  #watch: Watch | undefined;
  /** The last dispatching, and whether it goes on. */
  #dispatching: Promise<void> | undefined;
  #isDispatching = false;
  /** Until when the reader may be given more in this turn; 0 for no more. */
  #turnEnd = 0;
  /** What the connection has broken with. */
  #failure: CpgError | number | undefined;
  /** How many dispatches in a row may have left something. */
  #full = 0;
  /** How many events this turn has brought. */
  #count = 0;
  /** Whether nothing was left when the last of them had been taken. */
  #empty = false;
  /** Whether the daemon was gone, and the last dispatch without an event. */
  #isHollow = false;
  #leaving = false;
  #stopped = false;

  /**
   * @param lend Whether messages may be lent.
   * @param broken Called with a result code or an error when nothing more can
   * be received.
   */
  constructor(
    connection: Source,
    dispatcher: Pick<Dispatcher, "run">,
    lend: boolean,
    inbox: Sink,
    self: Member,
    broken: (failure: CpgError | number) => void,
  ) {
    this.#connection = connection;
    this.#dispatcher = dispatcher;
    this.#lend = lend;
    this.#inbox = inbox;
    this.#self = self;
    this.#broken = broken;
  }

  /** Goes on where a full inbox, or nothing to read, made it pause. */
  resume(): void {
    if (this.#isDispatching || this.#stopped) return;
    // With a full inbox, only the loss of the daemon is of interest.
    const events = this.#wanted ? POLLIN : 0;
    if (this.#watch) {
      this.#watch.change(events);
      return;
    }
    this.#watch = Poller.of(this.#connection.libcpg).watch(
      this.#connection.fd,
      events,
      (revents) => {
        this.#watch = undefined;
        this.#isDispatching = true;
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

  /** The reader waits: gives it what is there, unless this turn is over. */
  pull(): void {
    if (!this.#isDispatching) this.resume();
    else if (this.#turnEnd > 0 && this.#wanted && this.#inTurn) this.#run();
  }

  /** Whether the reader goes on, and not who sends. */
  get #inTurn(): boolean {
    // A daemon that has run out of work is slow to begin again.
    return performance.now() < this.#turnEnd && this.#count < MOST_IN_TURN &&
      (this.#full >= BEHIND || !this.#connection.hasRoomForWaiting);
  }

  /** Takes some events; a promise where another thread does it. */
  #run(): void | Promise<void> {
    try {
      const result = this.#dispatcher.run(
        this.#connection.handle,
        this.#room,
        this.#inbox.idle,
        this.#push,
      );
      if (typeof result !== "number") {
        this.#turnEnd = 0;
        return result.then((result) => this.#see(result));
      }
      this.#see(result);
    } catch (error) {
      this.#turnEnd = 0;
      this.#failure = unreceived(error);
    }
  }

  readonly #room = () => this.#isAwaited ? Infinity : this.#inbox.room;

  readonly #push = (event: GroupEvent) => {
    // The same dispatch can bring more after the departure.
    if (this.#stopped) return;
    this.#count++;
    this.#inbox.push(event);
    if (event.type === "membership") this.#note(event);
  };

  #see(result: number): void {
    this.#full = result === CsError.CS_OK ? this.#full + 1 : 0;
    if (result === CsError.CS_OK) return;
    // There is no more to be had in this turn.
    this.#turnEnd = 0;
    this.#empty = result === CsError.CS_ERR_TRY_AGAIN;
    if (!this.#empty) this.#failure = result;
  }

  /** Takes events until none is left, or none is wanted. */
  async #dispatch(revents: number): Promise<void> {
    try {
      const poller = Poller.of(this.#connection.libcpg);
      this.#count = 0;
      this.#empty = false;
      // It awaits only what there is to await: most often, that is nothing.
      while (this.#goesOn && !this.#empty) {
        // Sends that wait go before the next events, and what their senders
        // then send.
        this.#turnEnd = 0;
        if (this.#connection.progress()) {
          await poller.turnIfDue();
          if (!this.#goesOn) break;
        }
        this.#count = 0;
        this.#turnEnd = performance.now() + LONGEST_TURN;
        const running = this.#run();
        // The reader goes on first: it may find that there is no more.
        if (running || !this.#empty) await running;
        // The poller then sees to the event loop's turn.
        if (this.#count === 0 || this.#empty) break;
        await poller.turnIfDue();
      }
      const isHollow = (revents & POLLGONE) !== 0 && this.#count === 0;
      // Once, it may have been a part of a message, with others behind it.
      if (isHollow && (this.#empty || this.#isHollow)) {
        this.#failure ??= CsError.CS_ERR_LIBRARY;
      }
      this.#isHollow = isHollow;
    } catch (error) {
      this.#failure = unreceived(error);
    }
    this.#turnEnd = 0;
    this.#isDispatching = false;
    if (this.#stopped) return;
    if (this.#failure === undefined) this.resume();
    else this.#broken(this.#failure);
  }

  /**
   * Whether someone waits for an event of this member's own, which the reader,
   * who may be waiting for the same, must not keep from coming.
   */
  get #isAwaited(): boolean {
    return !this.#hasArrived || this.#leaving;
  }

  get #wanted(): boolean {
    if (this.#stopped || this.#isAwaited) return !this.#stopped;
    return this.#inbox.room > 0 && (!this.#lend || this.#inbox.idle);
  }

  /** Whether there is a dispatch to come. */
  get #goesOn(): boolean {
    return this.#wanted && this.#failure === undefined;
  }

  #note({ left }: MembershipChange): void {
    const { nodeId, pid } = this.#self;
    if (!this.#hasArrived) {
      // A member is told of no change before its own arrival.
      this.#hasArrived = true;
      this.#arrived.resolve();
    } else if (left.some((who) => who.nodeId === nodeId && who.pid === pid)) {
      // The list of members would not do: of long ones, entries are wrong.
      // It can come before the reply to cpg_leave does.
      this.#stopped = true;
      this.#departed.resolve();
    }
  }
}

/** An event has come that there is no memory for, and is lost. */
function unreceived(error: unknown): CpgError {
  if (error instanceof CpgError) return error;
  return new CpgError("Cannot receive", "cpg_dispatch", "CS_ERR_NO_MEMORY", {
    remedy: `${error}; make less of it wait at a time (highWaterMark)`,
    cause: error,
  });
}
