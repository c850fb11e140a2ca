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
  /** By how many own messages have to be processed. */
  #waiters = new Map<number, Waiter>();

  /**
   * Resolves when the reader is done with the message that corosync was the
   * `place`th to take in this session.
   */
  wait(place: number): Promise<void> {
    const count = this.#base + place;
    if (count <= this.#processed) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiters.set(count, { resolve, reject });
    });
  }

  /** An event goes into the inbox. */
  receive(event: GroupEvent, self: Member): void {
    if (isFrom(event, self)) this.#received++;
  }

  /** The reader is done with an event. */
  process(event: GroupEvent, self: Member): void {
    if (!isFrom(event, self)) return;
    const count = ++this.#processed;
    this.#waiters.get(count)?.resolve();
    this.#waiters.delete(count);
  }

  /** The session ends: what has not come back never will. */
  end(doing: string, reason: CpgError): void {
    const [back, missing] = [true, false].map((back) =>
      [...this.#waiters].filter(([count]) => (count <= this.#received) === back)
    );
    this.#waiters = new Map(back);
    this.#base = this.#received;
    for (const [, { reject }] of missing) {
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
    for (const { reject } of this.#waiters.values()) reject(reason);
    this.#waiters.clear();
  }
}

function isFrom(event: GroupEvent, { nodeId, pid }: Member): boolean {
  return event.type === "message" && event.sender.pid === pid &&
    event.sender.nodeId === nodeId;
}
