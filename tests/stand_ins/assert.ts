/**
 * Stands in for `@std/assert` where JSR cannot be reached: the assertions that
 * the tests use, with the signatures and the results of the originals.
 *
 * @module
 */
import { stripVTControlCharacters } from "node:util";
import { difference, format } from "./difference.ts";
import { equal } from "./equal.ts";

/** Any class, abstract ones included. */
// deno-lint-ignore no-explicit-any
type Class<T> = abstract new (...args: any[]) => T;

/** The values that count as false. */
export type Falsy = false | 0 | 0n | "" | null | undefined;

/** An array or anything indexed like one. */
export type ArrayLikeArg<T> = ArrayLike<T> & object;

/** What every failed assertion throws. */
export class AssertionError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "AssertionError";
  }
}

function ending(msg: string | undefined): string {
  return msg ? `: ${msg}` : ".";
}

export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

export function assertFalse(expr: unknown, msg = ""): asserts expr is Falsy {
  if (expr) throw new AssertionError(msg);
}

export function fail(msg?: string): never {
  throw new AssertionError(`Failed assertion${ending(msg)}`);
}

export function unreachable(msg?: string): never {
  throw new AssertionError(`Unreachable${ending(msg)}`);
}

export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  if (equal(actual, expected)) return;
  throw new AssertionError(
    `Values are not equal${ending(msg)}\n${difference(actual, expected)}`,
  );
}

export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (!equal(actual, expected)) return;
  throw new AssertionError(
    `Expected actual: ${format(actual)} not to be: ${format(expected)}${
      ending(msg)
    }`,
  );
}

export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  if (Object.is(actual, expected)) return;
  const text = format(actual);
  throw new AssertionError(
    text === format(expected)
      ? `Values have the same structure but are not reference-equal${
        ending(msg)
      }\n\n${text}\n`
      : `Values are not strictly equal${ending(msg)}\n${
        difference(actual, expected)
      }`,
  );
}

export function assertExists<T>(
  actual: T,
  msg?: string,
): asserts actual is NonNullable<T> {
  if (actual !== undefined && actual !== null) return;
  throw new AssertionError(
    `Expected actual: "${actual}" to not be null or undefined${ending(msg)}`,
  );
}

export function assertInstanceOf<T>(
  actual: unknown,
  expectedType: Class<T>,
  msg = "",
): asserts actual is T {
  if (actual instanceof expectedType) return;
  const found = typeof actual === "object" && actual !== null
    ? actual.constructor?.name ?? "Object"
    : actual === null
    ? "null"
    : typeof actual;
  throw new AssertionError(
    `Expected object to be an instance of "${expectedType.name}" but was "${found}"${
      ending(msg)
    }`,
  );
}

export function assertStringIncludes(
  actual: string,
  expected: string,
  msg?: string,
): void {
  if (actual.includes(expected)) return;
  throw new AssertionError(
    `Expected actual: "${actual}" to contain: "${expected}"${ending(msg)}`,
  );
}

export function assertMatch(
  actual: string,
  expected: RegExp,
  msg?: string,
): void {
  if (expected.test(actual)) return;
  throw new AssertionError(
    `Expected actual: "${actual}" to match: "${expected}"${ending(msg)}`,
  );
}

export function assertArrayIncludes<T>(
  actual: ArrayLikeArg<T>,
  expected: ArrayLikeArg<T>,
  msg?: string,
): void {
  const present = Array.from(actual);
  const missing = Array.from(expected)
    .filter((wanted) => !present.some((item) => equal(item, wanted)));
  if (missing.length === 0) return;
  throw new AssertionError(
    `Expected actual: "${format(actual)}" to include: "${format(expected)}"${
      ending(msg)
    }\nmissing: ${format(missing)}`,
  );
}

export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  if (actual > expected) return;
  throw new AssertionError(
    msg ?? `Expect ${format(actual)} > ${format(expected)}`,
  );
}

export function assertGreaterOrEqual<T>(
  actual: T,
  expected: T,
  msg?: string,
): void {
  if (actual >= expected) return;
  throw new AssertionError(
    msg ?? `Expect ${format(actual)} >= ${format(expected)}`,
  );
}

export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (actual < expected) return;
  throw new AssertionError(
    msg ?? `Expect ${format(actual)} < ${format(expected)}`,
  );
}

export function assertLessOrEqual<T>(
  actual: T,
  expected: T,
  msg?: string,
): void {
  if (actual <= expected) return;
  throw new AssertionError(
    msg ?? `Expect ${format(actual)} <= ${format(expected)}`,
  );
}

export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance?: number,
  msg?: string,
): void {
  if (Object.is(actual, expected)) return;
  tolerance ??= isFinite(expected) ? Math.abs(expected * 1e-7) : 1e-7;
  const delta = Math.abs(expected - actual);
  if (delta <= tolerance) return;
  throw new AssertionError(
    `Expected actual: "${actual}" to be close to "${expected}": delta "${delta}" is greater than "${tolerance}"${
      ending(msg)
    }`,
  );
}

/** What is left of `actual` where `expected` says nothing about the rest. */
function narrow(actual: unknown, expected: unknown): unknown {
  if (typeof actual !== "object" || typeof expected !== "object") return actual;
  if (actual === null || expected === null) return actual;
  if (actual instanceof RegExp || actual instanceof Date) return actual;
  if (Array.isArray(actual) && Array.isArray(expected)) {
    return actual.slice(0, expected.length)
      .map((item, index) => narrow(item, expected[index]));
  }
  if (actual instanceof Map && expected instanceof Map) {
    return new Map(
      [...actual].filter(([key]) => expected.has(key))
        .map(([key, value]) => [key, narrow(value, expected.get(key))]),
    );
  }
  if (actual instanceof Set && expected instanceof Set) {
    return actual.intersection(expected);
  }
  return Object.fromEntries(
    Reflect.ownKeys(actual).filter((key) => Object.hasOwn(expected, key))
      .map((key) => [
        key,
        narrow(Reflect.get(actual, key), Reflect.get(expected, key)),
      ]),
  );
}

export function assertObjectMatch(
  // deno-lint-ignore no-explicit-any
  actual: Record<PropertyKey, any>,
  expected: Record<PropertyKey, unknown>,
  msg?: string,
): void {
  assertEquals(narrow(actual, expected), narrow(expected, expected), msg);
}

/** The arguments that follow the function in the two that expect an error. */
type Expectation<E extends Error> =
  | [msg?: string]
  | [ErrorClass: Class<E>, msgIncludes?: string, msg?: string];

/** Throws unless `error`, which was `verb`, is what was expected. */
function checkError<E extends Error>(
  error: unknown,
  verb: string,
  expectation: Expectation<E>,
): void {
  const [expected, includes, msg] = expectation;
  if (typeof expected !== "function") return;
  if (!(error instanceof Error)) {
    throw new AssertionError(`A non-Error object was ${verb}${ending(msg)}`);
  }
  if (!(error instanceof expected)) {
    throw new AssertionError(
      `Expected error to be instance of "${expected.name}", but was "${error.constructor.name}"${
        ending(msg)
      }`,
      { cause: error },
    );
  }
  const text = stripVTControlCharacters(error.message);
  if (!text.includes(stripVTControlCharacters(includes ?? ""))) {
    throw new AssertionError(
      `Expected error message to include ${JSON.stringify(includes)}, but got ${
        JSON.stringify(error.message)
      }${ending(msg)}`,
      { cause: error },
    );
  }
}

function messageOf<E extends Error>(expectation: Expectation<E>): string {
  const [first, , msg] = expectation;
  return ending(typeof first === "string" ? first : msg);
}

export function assertThrows(fn: () => unknown, msg?: string): unknown;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: Class<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ...expectation: Expectation<E>
): unknown {
  try {
    fn();
  } catch (error) {
    checkError(error, "thrown", expectation);
    return error;
  }
  throw new AssertionError(
    `Expected function to throw${messageOf(expectation)}`,
  );
}

export function assertRejects(
  fn: () => PromiseLike<unknown>,
  msg?: string,
): Promise<unknown>;
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: Class<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ...expectation: Expectation<E>
): Promise<unknown> {
  let promise: PromiseLike<unknown> | undefined;
  try {
    promise = fn();
  } catch {
    // A throw is not a rejection: told below.
  }
  if (typeof promise?.then !== "function") {
    throw new AssertionError(
      `Function throws when expected to reject${messageOf(expectation)}`,
    );
  }
  try {
    await promise;
  } catch (error) {
    checkError(error, "rejected", expectation);
    return error;
  }
  throw new AssertionError(
    `Expected function to reject${messageOf(expectation)}`,
  );
}
