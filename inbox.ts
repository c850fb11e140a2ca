/**
 * The queue between corosync and the reader of a group: events come out in
 * the order in which they were dispatched.
 *
 * @module
 */
import { eventSize, type GroupEvent } from "./events.ts";
import { Queue } from "./queue.ts";

interface Waiter {
  resolve(result: IteratorResult<GroupEvent>): void;
  reject(error: unknown): void;
}

/** Events that were dispatched and not yet read. */
export class Inbox {
  readonly #highWaterMark: number;
  readonly #drained: () => void;
  readonly #wanting: () => void;
  readonly #processed: (event: GroupEvent) => void;
  /** What the reader was given last, and is still at. */
  #current: GroupEvent | undefined;
  readonly #events = new Queue<GroupEvent>();
  #size = 0;
  #waiter: Waiter | undefined;
  #reading = false;
  #end: { error?: unknown } | undefined;

  /**
   * @param highWaterMark In bytes.
   * @param drained Called when a full inbox has room again.
   * @param wanting Called when the reader is about to wait.
   * @param processed Called when the reader is done with an event: it asks for
   * the next one, or stops.
   */
  constructor(
    highWaterMark: number,
    drained: () => void,
    wanting: () => void,
    processed: (event: GroupEvent) => void,
  ) {
    this.#highWaterMark = highWaterMark;
    this.#drained = drained;
    this.#wanting = wanting;
    this.#processed = processed;
  }

  /** How far the high-water mark is, in bytes; reached at 0 or less. */
  get room(): number {
    return this.#highWaterMark - this.#size;
  }

  /** Whether there is no event that is not read, or being read. */
  get idle(): boolean {
    return this.#events.length === 0 && !this.#current;
  }

  /** Adds an event at the end. */
  push(event: GroupEvent): void {
    if (this.#end) return;
    const waiter = this.#waiter;
    if (waiter) {
      this.#waiter = undefined;
      this.#current = event;
      waiter.resolve({ value: event, done: false });
    } else {
      this.#events.push(event);
      this.#size += eventSize(event);
    }
  }

  /** Nothing will follow: the reader gets what is left, then the end. */
  end(error?: unknown): void {
    if (this.#end) return;
    this.#end = error === undefined ? {} : { error };
    const waiter = this.#waiter;
    this.#waiter = undefined;
    if (waiter) this.#finish(waiter);
  }

  /** Forgets what has not been read. */
  clear(): void {
    this.#events.clear();
    this.#size = 0;
  }

  /** Reads the inbox; one reader at a time. */
  read(): AsyncIterableIterator<GroupEvent> {
    if (this.#reading) {
      throw new TypeError(
        "Cannot read the group twice at once: end the other `for await` first",
      );
    }
    this.#reading = true;
    let returned = false;
    const iterator: AsyncIterableIterator<GroupEvent> = {
      next: () =>
        returned
          ? Promise.resolve({ value: undefined, done: true })
          : this.#untilNext(),
      return: () => {
        if (returned) return Promise.resolve({ value: undefined, done: true });
        returned = true;
        this.#reading = false;
        this.#finishCurrent();
        // A pending read must not swallow the next event.
        this.#waiter?.resolve({ value: undefined, done: true });
        this.#waiter = undefined;
        return Promise.resolve({ value: undefined, done: true });
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  /** The next event, if it is there. */
  tryRead(): GroupEvent | undefined {
    if (this.#waiter) throw unanswered();
    return this.#take();
  }

  #take(): GroupEvent | undefined {
    this.#finishCurrent();
    if (this.#events.length === 0 && !this.#end) this.#wanting();
    const event = this.#current = this.#events.shift();
    if (!event) return undefined;
    const wasFull = this.room <= 0;
    this.#size -= eventSize(event);
    if (wasFull && this.room > 0) this.#drained();
    return event;
  }

  #finishCurrent(): void {
    const event = this.#current;
    this.#current = undefined;
    if (event) this.#processed(event);
  }

  #untilNext(): Promise<IteratorResult<GroupEvent>> {
    if (this.#waiter) return Promise.reject(unanswered());
    const value = this.#take();
    if (value) return Promise.resolve({ value, done: false });
    return new Promise((resolve, reject) => {
      if (this.#end) this.#finish({ resolve, reject });
      else this.#waiter = { resolve, reject };
    });
  }

  #finish(waiter: Waiter): void {
    this.#reading = false;
    if (this.#end?.error !== undefined) waiter.reject(this.#end.error);
    else waiter.resolve({ value: undefined, done: true });
  }
}

function unanswered(): TypeError {
  return new TypeError("Cannot read the next event before the last has come");
}
