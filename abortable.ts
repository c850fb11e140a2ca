/**
 * Waiting that can be given up.
 *
 * @module
 */

/** Whether something has ended, and whom that is to be told. */
export class Ending {
  #reason: unknown;
  #ended = false;
  // A set of its own: an AbortSignal searches all its listeners for each new
  // one, and there can be thousands of sends.
  readonly #listeners = new Set<(reason: unknown) => void>();

  /** Whether it has ended. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Throws the reason if it has ended. */
  check(): void {
    if (this.#ended) throw this.#reason;
  }

  /** Ends it. */
  end(reason: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#reason = reason;
    for (const listener of this.#listeners) listener(reason);
    this.#listeners.clear();
  }

  /** Calls a listener when it ends; the result stops that. */
  onEnd(listener: (reason: unknown) => void): () => void {
    if (this.#ended) listener(this.#reason);
    else this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/**
 * The outcome of `promise`, unless there is an end or an abort first: then its
 * reason. What `promise` stands for goes on, and its outcome is dropped.
 */
export async function abortable<T>(
  promise: Promise<T>,
  ending: Ending | undefined,
  signal?: AbortSignal,
): Promise<T> {
  if (!ending && !signal) return await promise;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const forget = ending?.onEnd(reject);
  const abort = () => reject(signal?.reason);
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    forget?.();
    signal?.removeEventListener("abort", abort);
  }
}

/** Resolves after some milliseconds; rejects on an end or an abort before. */
export async function pause(
  milliseconds: number,
  ending: Ending,
  signal?: AbortSignal,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  try {
    await abortable(promise, ending, signal);
  } finally {
    clearTimeout(timer);
  }
}
