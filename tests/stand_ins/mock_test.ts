import {
  assert,
  assertEquals,
  AssertionError,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  assertSpyCall,
  assertSpyCalls,
  MockError,
  spy,
  stub,
} from "@std/testing/mock";

class Counter {
  total = 0;

  add(amount: number): number {
    if (amount < 0) throw new RangeError("negative");
    return this.total += amount;
  }
}

Deno.test("spy() records arguments, results, errors and objects", () => {
  const counter = new Counter();
  using add = spy(counter, "add");
  counter.add(2);
  assertThrows(() => counter.add(-1), RangeError);
  assertEquals(counter.total, 2);
  assertSpyCalls(add, 2);
  assertSpyCall(add, 0, { args: [2], returned: 2, self: counter });
  assertEquals(add.calls[1].args, [-1]);
  assert(add.calls[1].error instanceof RangeError);
  assert(!("returned" in add.calls[1]));
});

Deno.test("spy() wraps a function, or none", () => {
  const double = spy((value: number) => value * 2);
  assertEquals([1, 2].map((value) => double(value)), [2, 4]);
  assertSpyCalls(double, 2);
  assertSpyCall(double, 1, { args: [2], returned: 4 });
  assertThrows(() => double.restore(), MockError);

  const nothing = spy();
  assertEquals(nothing("a"), undefined);
  assertSpyCall(nothing, 0, { args: ["a"] });
});

Deno.test("a method spy goes when it is restored or disposed of", () => {
  const counter = new Counter();
  const { add } = counter;
  {
    using replaced = spy(counter, "add");
    assert(counter.add !== add);
    assertStrictEquals(replaced.original, add);
    assertThrows(() => spy(counter, "add"), MockError, "already spying");
  }
  assertStrictEquals(counter.add, add);
  assert(!Object.hasOwn(counter, "add"));

  const own = { method: () => 1 };
  const restored = spy(own, "method");
  restored.restore();
  assert(restored.restored);
  assertEquals(own.method(), 1);
  assertThrows(() => restored.restore(), MockError, "already restored");
});

Deno.test("spy() refuses what it cannot replace", () => {
  const counter = new Counter();
  assertThrows(() => spy(counter, "total"), MockError, "not an instance");
  assertThrows(
    () => spy(Object.freeze({ method() {} }), "method"),
    MockError,
    "non-configurable",
  );
});

Deno.test("stub() calls something else instead", () => {
  const counter = new Counter();
  {
    using add = stub(counter, "add", (amount) => amount * 10);
    assertEquals(counter.add(3), 30);
    assertSpyCall(add, 0, { args: [3], returned: 30 });
  }
  using add = stub(counter, "add");
  assertEquals(counter.add(3), undefined);
  assertSpyCalls(add, 1);
  assertEquals(counter.total, 0);
});

Deno.test("assertSpyCalls() and assertSpyCall() fail on other calls", () => {
  const fn = spy((value: number) => {
    if (value < 0) throw new RangeError("negative");
    return value;
  });
  assertThrows(() => assertSpyCalls(fn, 1), AssertionError, "as much as");
  assertThrows(() => assertSpyCall(fn, 0), AssertionError, "as much as");
  fn(1);
  assertThrows(() => assertSpyCalls(fn, 0), AssertionError, "more than");
  assertThrows(() => assertSpyCall(fn, 0, { args: [2] }), AssertionError);
  assertThrows(() => assertSpyCall(fn, 0, { returned: 2 }), AssertionError);
  assertThrows(() => assertSpyCall(fn, 0, { self: {} }), AssertionError);
  assertThrows(() => fn(-1), RangeError);
  assertThrows(() => assertSpyCall(fn, 1, { returned: 2 }), AssertionError);
});
