/**
 * First in, first out, at the same price however many there are: to shift the
 * first out of an array moves all others.
 *
 * @module
 */

/** How many are taken before the room that they had is given back. */
const CHUNK = 1024;

/** What waits for its turn. */
export class Queue<T> {
  /** Those before the next have been taken, and are not kept. */
  #items: (T | undefined)[] = [];
  #next = 0;

  /** How many there are. */
  get length(): number {
    return this.#items.length - this.#next;
  }

  /** The first, which stays; undefined if there is none. */
  get first(): T | undefined {
    return this.#items[this.#next];
  }

  /** Adds one at the end. */
  push(item: T): void {
    this.#items.push(item);
  }

  /** Takes the first; undefined if there is none. */
  shift(): T | undefined {
    const item = this.#items[this.#next];
    if (this.length <= 1) this.clear();
    else {
      this.#items[this.#next] = undefined;
      if (++this.#next === CHUNK) {
        this.#items.splice(0, CHUNK);
        this.#next = 0;
      }
    }
    return item;
  }

  /** Forgets all. */
  clear(): void {
    this.#items = [];
    this.#next = 0;
  }

  /** All, in order. */
  values(): T[] {
    return this.#items.slice(this.#next) as T[];
  }
}
