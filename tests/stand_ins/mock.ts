/**
 * Stands in for `@std/testing/mock` where JSR cannot be reached: spies and
 * stubs of functions and methods.
 *
 * @module
 */
import { assertEquals, AssertionError } from "./assert.ts";

/** What a wrong use of a spy throws. */
export class MockError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "MockError";
  }
}

/** One call of a spy; `error` instead of `returned` if it threw. */
// deno-lint-ignore no-explicit-any
export interface SpyCall<Self = any, Args extends unknown[] = any[], R = any> {
  args: Args;
  returned?: R;
  error?: Error;
  self?: Self;
}

/** A function that keeps a record of its calls. */
// deno-lint-ignore no-explicit-any
export interface Spy<Self = any, Args extends unknown[] = any[], R = any> {
  (this: Self, ...args: Args): R;
  original: (this: Self, ...args: Args) => R;
  calls: SpyCall<Self, Args, R>[];
  restored: boolean;
  restore(): void;
}

/** A spy in the place of a method, until it is restored or disposed of. */
// deno-lint-ignore no-explicit-any
export interface MethodSpy<Self = any, Args extends unknown[] = any[], R = any>
  extends Spy<Self, Args, R>, Disposable {}

/** A method spy that calls `fake` instead of the method. */
// deno-lint-ignore no-explicit-any
export interface Stub<Self = any, Args extends unknown[] = any[], R = any>
  extends MethodSpy<Self, Args, R> {
  fake: (this: Self, ...args: Args) => R;
}

/** The arguments of a method. */
export type GetParametersFromProp<Self, Prop extends keyof Self> =
  Self[Prop] extends (...args: infer Args) => unknown ? Args : unknown[];

/** The result of a method. */
export type GetReturnFromProp<Self, Prop extends keyof Self> =
  // deno-lint-ignore no-explicit-any
  Self[Prop] extends (...args: any[]) => infer R ? R : unknown;

type AnyFunction = (this: unknown, ...args: unknown[]) => unknown;

/** A function that does what `behaviour` does, and records it in `calls`. */
function recorder(behaviour: AnyFunction, calls: SpyCall[]): AnyFunction {
  return function (this: unknown, ...args: unknown[]): unknown {
    const call: SpyCall = { args };
    if (this) call.self = this;
    try {
      call.returned = behaviour.apply(this, args);
      return call.returned;
    } catch (error) {
      call.error = error as Error;
      throw error;
    } finally {
      calls.push(call);
    }
  };
}

function functionSpy(original: AnyFunction): Spy {
  const calls: SpyCall[] = [];
  return Object.assign(recorder(original, calls), {
    original,
    calls,
    restored: false,
    restore(): void {
      throw new MockError("Cannot restore: function cannot be restored");
    },
  });
}

/** Every method spy and stub, so that none is put over another. */
const spies = new WeakSet<object>();

function methodSpy<Self>(
  self: Self,
  property: keyof Self,
  fake: AnyFunction | undefined,
  verb: string,
): Stub {
  const original = self[property] as AnyFunction;
  if (typeof original !== "function") {
    throw new MockError(
      `Cannot ${verb}: property is not an instance method`,
    );
  }
  if (spies.has(original)) {
    throw new MockError(`Cannot ${verb}: already spying on instance method`);
  }
  const before = Object.getOwnPropertyDescriptor(self, property);
  if (before?.configurable === false) {
    throw new MockError(`Cannot ${verb}: non-configurable instance method`);
  }
  const calls: SpyCall[] = [];
  const spy = Object.assign(recorder(fake ?? original, calls), {
    original,
    fake: fake ?? original,
    calls,
    restored: false,
    restore(): void {
      if (spy.restored) {
        throw new MockError("Cannot restore: instance method already restored");
      }
      if (before === undefined) delete self[property];
      else Object.defineProperty(self, property, before);
      spy.restored = true;
    },
    [Symbol.dispose](): void {
      spy.restore();
    },
  });
  spies.add(spy);
  Object.defineProperty(self, property, {
    configurable: true,
    enumerable: before?.enumerable ?? false,
    writable: before?.writable ?? false,
    value: spy,
  });
  return spy;
}

// deno-lint-ignore no-explicit-any
export function spy<Self = any, Args extends unknown[] = any[], R = undefined>(
  func?: (this: Self, ...args: Args) => R,
): Spy<Self, Args, R>;
export function spy<Self, Prop extends keyof Self>(
  self: Self,
  property: Prop,
): MethodSpy<
  Self,
  GetParametersFromProp<Self, Prop>,
  GetReturnFromProp<Self, Prop>
>;
export function spy<Self>(
  funcOrSelf?: AnyFunction | Self,
  property?: keyof Self,
): Spy {
  return property === undefined
    ? functionSpy((funcOrSelf ?? (() => {})) as AnyFunction)
    : methodSpy(funcOrSelf as Self, property, undefined, "spy");
}

export function stub<Self, Prop extends keyof Self>(
  self: Self,
  property: Prop,
  func?: (
    this: Self,
    ...args: GetParametersFromProp<Self, Prop>
  ) => GetReturnFromProp<Self, Prop>,
): Stub<
  Self,
  GetParametersFromProp<Self, Prop>,
  GetReturnFromProp<Self, Prop>
>;
export function stub<Self>(
  self: Self,
  property: keyof Self,
  func: AnyFunction = () => {},
): Stub {
  return methodSpy(self, property, func, "stub");
}

export function assertSpyCalls(spy: Spy, expectedCalls: number): void {
  const { length } = spy.calls;
  if (length === expectedCalls) return;
  const verdict = length < expectedCalls
    ? "not called as much as expected"
    : "called more than expected";
  throw new AssertionError(
    `Spy ${verdict}:\n${length} calls, not ${expectedCalls}`,
  );
}

/** What a call is expected to have been; what is left out may be anything. */
export interface ExpectedSpyCall<
  // deno-lint-ignore no-explicit-any
  Self = any,
  // deno-lint-ignore no-explicit-any
  Args extends unknown[] = any[],
  // deno-lint-ignore no-explicit-any
  R = any,
> {
  args?: [...Args, ...unknown[]];
  self?: Self;
  returned?: R;
}

export function assertSpyCall<Self, Args extends unknown[], R>(
  spy: Spy<Self, Args, R>,
  callIndex: number,
  expected: ExpectedSpyCall<Self, Args, R> = {},
): void {
  const call = spy.calls[callIndex];
  if (call === undefined) {
    throw new AssertionError("Spy not called as much as expected");
  }
  if (expected.args !== undefined) {
    assertEquals<unknown>(call.args, expected.args, "arguments of the call");
  }
  if ("self" in expected) {
    assertEquals(call.self, expected.self, "object of the call");
  }
  if ("returned" in expected) {
    if (call.error !== undefined) {
      throw new AssertionError(
        "Spy call did not return expected value, an error was thrown.",
      );
    }
    assertEquals(call.returned, expected.returned, "result of the call");
  }
}
