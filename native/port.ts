/**
 * The foreign-function port: what the library needs of a runtime, and nothing
 * more. `deno.ts` provides it on Deno; another runtime provides the same names
 * in a file of its own.
 *
 * Addresses are `bigint`s (0n is NULL), so that they can be stored in C
 * structs and compared without asking the runtime.
 */

/** A C type, as far as libcpg and the few calls of libc need them. */
export type NativeType = "void" | "i32" | "u32" | "u64" | "usize" | "pointer";

/** The C signature of a function. */
export interface Signature {
  /** Types of the parameters, in order. */
  readonly parameters: readonly NativeType[];
  /** Type of the result. */
  readonly result: NativeType;
  /** Whether a library may lack the function; it is `null` then. */
  readonly optional?: boolean;
}

/** Functions of a library, called on another thread: the event loop goes on. */
export type AsyncCalls<T> = {
  [K in keyof T]: T[K] extends (...args: infer A) => infer R
    ? (...args: A) => Promise<R>
    : T[K] extends ((...args: infer A) => infer R) | null
      ? ((...args: A) => Promise<R>) | null
    : never;
};

/** An open library. */
export interface Library<T> {
  /** Its functions, called on this thread: the caller waits. */
  readonly calls: T;
  /** Its functions, called on another thread: the event loop goes on. */
  readonly async: AsyncCalls<T>;
  /** Where a function is, for machine code to call it. */
  address(name: keyof T & string): bigint;
}

/** A JavaScript function that C can call. */
export interface NativeCallback {
  /** Its address. */
  readonly address: bigint;
  /** Ends it. Never call this from inside the callback itself. */
  close(): void;
}
