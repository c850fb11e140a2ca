/**
 * The sessions of a group, one after the other: the one there is, and the way
 * to the next where the daemon is lost.
 *
 * @module
 */
import { abortable, type Ending, pause } from "./abortable.ts";
import type { Receiving } from "./dispatch.ts";
import { CpgError } from "./errors.ts";
import type { GroupEvent, Member } from "./events.ts";
import type { Sink } from "./receiver.ts";
import { Session, type SessionOptions } from "./session.ts";

/** The pauses between attempts to reconnect, in milliseconds. */
const FIRST_PAUSE = 20;
const LONGEST_PAUSE = 2000;

/** Whose sessions they are. */
export interface Owner extends Sink {
  /**
   * The daemon is lost.
   *
   * @returns Whether to connect again.
   */
  lost(error: CpgError): boolean;
  /** Connecting again is of no use. */
  refused(error: Error): void;
}

/** What connects a group with the daemon. */
export class Sessions {
  readonly #options: SessionOptions;
  readonly #owner: Owner;
  readonly #ending: Ending;
  #current: Session | undefined;
  #self: Member = { nodeId: 0, pid: 0 };
  #receiving: Receiving = "callbacks";
  /** Who waits for a session, in order. */
  readonly #waiting = new Set<(session: Session) => void>();
  /** The end of the lost session, and the way to the next one. */
  #transition: Promise<void> | undefined;

  /** @param ending Ends all that, and connects no more. */
  constructor(options: SessionOptions, owner: Owner, ending: Ending) {
    this.#options = options;
    this.#owner = owner;
    this.#ending = ending;
  }

  /** The session; none while the daemon is lost. */
  get current(): Session | undefined {
    return this.#current;
  }

  /** This member, as the last session knows it. */
  get self(): Member {
    return this.#self;
  }

  /** How the last session receives. */
  get receiving(): Receiving {
    return this.#receiving;
  }

  /** Opens the first session. */
  open(signal?: AbortSignal): Promise<void> {
    return this.#open((event) => this.#owner.push(event), signal);
  }

  /**
   * Does something with the session, at once or as soon as there is one. What
   * has to wait is begun in the order in which it was asked for, and before
   * anything that is asked for later.
   */
  async use<T>(
    task: (session: Session) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    signal?.throwIfAborted();
    if (this.#current) return await task(this.#current);
    const begun = Promise.withResolvers<{ result: Promise<T> }>();
    const begin = (session: Session) => {
      // Given up, though `abortable` has not said so yet.
      if (this.#ending.ended || signal?.aborted) return;
      begun.resolve({ result: task(session) });
    };
    this.#waiting.add(begin);
    try {
      await abortable(begun.promise, this.#ending, signal);
    } finally {
      this.#waiting.delete(begin);
    }
    return await (await begun.promise).result;
  }

  /** Closes the session; what is pending rejects with the error. */
  async close(error: CpgError): Promise<void> {
    await this.#transition;
    await this.#current?.close(error);
  }

  /** Opens a session, whose events go through `push`. */
  async #open(
    push: (event: GroupEvent) => void,
    signal?: AbortSignal,
  ): Promise<void> {
    const owner = this.#owner;
    const session = await Session.open(
      this.#options,
      {
        get room() {
          return owner.room;
        },
        get idle() {
          return owner.idle;
        },
        push,
      },
      (error) => this.#lose(session, error),
      signal,
    );
    this.#self = session.self;
    this.#receiving = session.receiving;
    this.#current = session;
    // The reader may have asked for more while there was nobody to hear it.
    session.receiver.resume();
    for (const begin of this.#waiting) begin(session);
  }

  #lose(session: Session, error: CpgError): void {
    this.#current = undefined;
    const cleanedUp = session.close(error, true);
    this.#transition = cleanedUp;
    if (this.#owner.lost(error)) this.#transition = this.#reconnect(cleanedUp);
  }

  /** Tries again and again, until there is a daemon or the group is closed. */
  async #reconnect(cleanedUp: Promise<void>): Promise<void> {
    await cleanedUp;
    const closing = new AbortController();
    const forget = this.#ending.onEnd((reason) => closing.abort(reason));
    try {
      for (let wait = FIRST_PAUSE; !this.#ending.ended;) {
        try {
          return await this.#open(this.#returning(), closing.signal);
        } catch (error) {
          if (this.#ending.ended) return;
          if (!isPassing(error)) return this.#owner.refused(error as Error);
        }
        await pause(wait, this.#ending).catch(() => {});
        wait = Math.min(2 * wait, LONGEST_PAUSE);
      }
    } finally {
      forget();
    }
  }

  /** Takes the first membership for the return to the group that it is. */
  #returning(): (event: GroupEvent) => void {
    let returned = false;
    return (event) => {
      if (!returned && event.type === "membership") {
        returned = true;
        const { members } = event;
        this.#owner.push({ type: "reconnected", members });
      } else {
        this.#owner.push(event);
      }
    };
  }
}

/** Whether it may be otherwise at the next attempt. */
function isPassing(error: unknown): boolean {
  return error instanceof CpgError && error.code !== "CS_ERR_ACCESS";
}
