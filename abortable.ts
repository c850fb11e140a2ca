/**
 * Waiting that can be given up.
 *
 * @module
 */

/**
 * The outcome of `promise`, unless the signal aborts first: then its reason.
 * What `promise` stands for goes on, and its outcome is dropped.
 */
export async function abortable<T>(
  promise: Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** Resolves after some milliseconds; rejects when the signal aborts before. */
export async function pause(
  milliseconds: number,
  signal: AbortSignal,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  try {
    await abortable(promise, signal);
  } finally {
    clearTimeout(timer);
  }
}
