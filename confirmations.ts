/**
 * Which of a group's own messages have come back.
 *
 * A member's messages come back in the order in which corosync has taken them,
 * and nobody else sends in its name: a process can join a group only once. So
 * counting is enough.
 *
 * @module
 */
import { CpgError } from "./errors.ts";
import type { GroupEvent, Member } from "./events.ts";

interface Waiter {
  /** How many own messages have to be processed. */
  readonly count: number;
  resolve(): void;
  reject(error: unknown): void;
}

/** Those who wait for their own messages. */
export class Confirmations {
  /** Own messages that went into the inbox, over all sessions. */
  #received = 0;
  /** Own messages that the reader is done with. */
  #processed = 0;
  /** What was received when the session began. */
  #base = 0;
  #waiters: Waiter[] = [];

  /**
   * Resolves when the reader is done with the message that corosync was the
   * `place`th to take in this session.
   */
  wait(place: number): Promise<void> {
    const count = this.#base + place;
    if (count <= this.#processed) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiters.push({ count, resolve, reject });
      this.#waiters.sort((a, b) => a.count - b.count);
    });
  }

  /** An event goes into the inbox. */
  receive(event: GroupEvent, self: Member): void {
    if (isFrom(event, self)) this.#received++;
  }

  /** The reader is done with an event. */
  process(event: GroupEvent, self: Member): void {
    if (!isFrom(event, self)) return;
    this.#processed++;
    while (this.#waiters.length && this.#waiters[0].count <= this.#processed) {
      this.#waiters.shift()!.resolve();
    }
  }

  /** The session ends: what has not come back never will. */
  end(doing: string, reason: CpgError): void {
    const [back, missing] = [true, false].map((back) =>
      this.#waiters.filter(({ count }) => (count <= this.#received) === back)
    );
    this.#waiters = back;
    this.#base = this.#received;
    for (const { reject } of missing) {
      reject(
        new CpgError(doing, "cpg_dispatch", reason.value, {
          remedy: `${reason.message}; the message may or may not be delivered`,
          cause: reason,
          delivery: "unknown",
        }),
      );
    }
  }

  /** Nobody will read what is in the inbox. */
  abandon(reason: CpgError): void {
    for (const { reject } of this.#waiters) reject(reason);
    this.#waiters = [];
  }
}

function isFrom(event: GroupEvent, { nodeId, pid }: Member): boolean {
  return event.type === "message" && event.sender.pid === pid &&
    event.sender.nodeId === nodeId;
}
