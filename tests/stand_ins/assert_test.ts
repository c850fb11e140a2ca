import {
  assert,
  assertAlmostEquals,
  assertArrayIncludes,
  assertEquals,
  assertExists,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  AssertionError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertObjectMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  fail,
  unreachable,
} from "@std/assert";
import { stripVTControlCharacters } from "node:util";

/** The message of the failure; written without the assertions under test. */
function failure(fn: () => unknown): string {
  try {
    fn();
  } catch (error) {
    if (error instanceof AssertionError) {
      return stripVTControlCharacters(error.message);
    }
    throw error;
  }
  throw new Error("Expected the assertion to fail");
}

function includes(text: string, ...parts: string[]): void {
  for (const part of parts) {
    if (!text.includes(part)) throw new Error(`No "${part}" in "${text}"`);
  }
}

class Point {
  readonly #x: number;
  constructor(x: number) {
    this.#x = x;
  }
  get x(): number {
    return this.#x;
  }
}

const ring: Record<string, unknown> = { name: "ring" };
ring.self = ring;
const otherRing: Record<string, unknown> = { name: "ring" };
otherRing.self = otherRing;
const longerRing = { name: "ring", self: { name: "other", self: ring } };

const equalPairs: [what: string, a: unknown, b: unknown][] = [
  ["numbers", 1, 1],
  ["NaN", NaN, NaN],
  ["zeros", 0, -0],
  ["objects in another order", { a: 1, b: [2] }, { b: [2], a: 1 }],
  ["symbols as keys", { [Symbol.iterator]: 1 }, { [Symbol.iterator]: 1 }],
  ["an object without prototype", Object.create(null), {}],
  ["bytes", new Uint8Array([1, 2]), Uint8Array.of(1, 2)],
  ["a part of a buffer", new Uint8Array([0, 1]).subarray(1), Uint8Array.of(1)],
  ["big integers", BigInt64Array.of(1n), BigInt64Array.of(1n)],
  ["NaN among numbers", Float64Array.of(NaN), Float64Array.of(NaN)],
  ["buffers", Uint8Array.of(1).buffer, Uint8Array.of(1).buffer],
  [
    "maps",
    new Map([["a", [1]], ["b", [2]]]),
    new Map([["b", [2]], ["a", [1]]]),
  ],
  ["objects as keys", new Map([[{ a: 1 }, 1]]), new Map([[{ a: 1 }, 1]])],
  ["sets", new Set([1, 2]), new Set([2, 1])],
  ["sets of objects", new Set([{ a: 1 }, {}]), new Set([{}, { a: 1 }])],
  ["dates", new Date(5), new Date(5)],
  ["expressions", /a/g, /a/g],
  ["addresses", new URL("http://a/"), new URL("http://a")],
  ["getters", new Point(1), new Point(1)],
  ["rings", ring, otherRing],
];

const unequalPairs: [what: string, a: unknown, b: unknown][] = [
  ["numbers", 1, 2],
  ["types", 1, "1"],
  ["null and undefined", null, undefined],
  ["integers of two kinds", 1, 1n],
  ["a missing property", { a: undefined }, {}],
  ["another name", { a: undefined }, { b: undefined }],
  ["a value further down", { a: { b: 1 } }, { a: { b: 2 } }],
  ["lengths", [1], [1, 2]],
  ["an array and an object", [], {}],
  ["classes", new Point(1), {}],
  ["bytes", Uint8Array.of(1, 2), Uint8Array.of(1, 3)],
  ["numbers of bytes", Uint8Array.of(1), Uint8Array.of(1, 0)],
  ["views of two kinds", Uint8Array.of(1), Int8Array.of(1)],
  ["buffers", Uint8Array.of(1).buffer, Uint8Array.of(2).buffer],
  ["values in maps", new Map([["a", 1]]), new Map([["a", 2]])],
  ["keys of maps", new Map([["a", 1]]), new Map([["b", 1]])],
  ["sizes of maps", new Map(), new Map([["a", 1]])],
  ["sets", new Set([1]), new Set([2])],
  ["sets of objects", new Set([{ a: 1 }, {}]), new Set([{}, { a: 2 }])],
  ["dates", new Date(5), new Date(6)],
  ["expressions", /a/g, /a/],
  ["addresses", new URL("http://a"), new URL("http://b")],
  ["queries", new URLSearchParams("a=1"), new URLSearchParams("a=2")],
  ["getters", new Point(1), new Point(2)],
  ["functions", () => {}, () => {}],
  ["rings", ring, longerRing],
];

Deno.test("assertEquals() and assertNotEquals() compare deeply", async (t) => {
  for (const [what, a, b] of equalPairs) {
    await t.step(`equal ${what}`, () => {
      assertEquals(a, b);
      assertEquals(b, a);
      failure(() => assertNotEquals(a, b));
    });
  }
  for (const [what, a, b] of unequalPairs) {
    await t.step(`unequal ${what}`, () => {
      assertNotEquals(a, b);
      assertNotEquals(b, a);
      failure(() => assertEquals(a, b));
    });
  }
});

Deno.test("assertEquals() refuses what nobody can look into", () => {
  assertThrows(() => assertEquals(new WeakMap(), new WeakMap()), TypeError);
  assertThrows(() => assertEquals(new WeakSet(), new WeakSet()), TypeError);
});

Deno.test("assertEquals() shows the lines that differ", () => {
  const text = failure(() =>
    assertEquals({ a: 1, b: 2, c: 3 }, { a: 1, b: 4, c: 3 }, "context")
  );
  includes(text, "Values are not equal: context", "[Diff] Actual / Expected");
  assert(/^\s+a: 1.*\n-\s+b: 2/m.test(text), text);
  assert(/^\+\s+b: 4.*\n\s+c: 3/m.test(text), text);
});

Deno.test("assertStrictEquals() wants the same value", () => {
  const object = {};
  assertStrictEquals(object, object);
  assertStrictEquals(NaN, NaN);
  includes(failure(() => assertStrictEquals(0, -0)), "not strictly equal");
  includes(
    failure(() => assertStrictEquals({}, {}, "why")),
    "same struc",
    "why",
  );
  includes(failure(() => assertStrictEquals("a", "b")), "a", "b");
});

Deno.test("assert() and its opposites", () => {
  assert("text");
  assertFalse(0);
  assertEquals(failure(() => assert("")), "");
  includes(failure(() => assert(null, "missing")), "missing");
  includes(failure(() => assertFalse(1, "found")), "found");
  includes(failure(() => fail("reason")), "Failed assertion: reason");
  includes(failure(() => unreachable()), "Unreachable.");
  includes(failure(() => unreachable("reason")), "Unreachable: reason");
});

Deno.test("assertExists() takes all but null and undefined", () => {
  assertExists(0);
  assertExists("");
  includes(failure(() => assertExists(null)), '"null"');
  includes(failure(() => assertExists(undefined, "why")), '"undefined"', "why");
});

Deno.test("assertInstanceOf() names what it found", () => {
  const value: unknown = new RangeError("range");
  assertInstanceOf(value, Error);
  assertEquals(value.message, "range");
  const wanted = () => assertInstanceOf(value, TypeError, "why");
  includes(failure(wanted), '"TypeError"', '"RangeError"', "why");
  for (const found of [null, undefined, 5, "five", () => {}]) {
    includes(failure(() => assertInstanceOf(found, Map)), '"Map"');
  }
});

Deno.test("assertStringIncludes() and assertMatch() look into text", () => {
  assertStringIncludes("corosync", "sync");
  assertMatch("corosync", /^coro/);
  includes(failure(() => assertStringIncludes("a", "b", "why")), "b", "why");
  includes(failure(() => assertMatch("a", /b/, "why")), "/b/", "why");
});

Deno.test("assertArrayIncludes() finds elements by their content", () => {
  assertArrayIncludes([1, { a: 1 }, 2], [{ a: 1 }, 1]);
  assertArrayIncludes(Uint8Array.of(1, 2), [2]);
  const text = failure(() => assertArrayIncludes([1, 2], [2, 7], "why"));
  includes(text, "missing: [", "7", "why");
});

Deno.test("the assertions of order keep to it", () => {
  assertGreater(2, 1);
  assertGreaterOrEqual(1, 1);
  assertLess(1n, 2n);
  assertLessOrEqual("a", "a");
  includes(failure(() => assertGreater(1, 1)), "1 > 1");
  includes(failure(() => assertGreaterOrEqual(0, 1)), "0 >= 1");
  includes(failure(() => assertLess(1, 1)), "1 < 1");
  includes(failure(() => assertLessOrEqual(2, 1, "why")), "why");
  failure(() => assertLess(NaN, 1));
});

Deno.test("assertAlmostEquals() allows for a tolerance", () => {
  assertAlmostEquals(0.1 + 0.2, 0.3);
  assertAlmostEquals(10, 12, 2);
  assertAlmostEquals(Infinity, Infinity);
  failure(() => assertAlmostEquals(1, 1.001));
  includes(failure(() => assertAlmostEquals(10, 12, 1, "why")), "delta", "why");
  failure(() => assertAlmostEquals(NaN, 1));
});

Deno.test("assertObjectMatch() ignores what is not expected", () => {
  const actual = {
    name: "group",
    members: [{ nodeId: 1, pid: 10 }, { nodeId: 2, pid: 20 }],
    codes: new Map([["ok", { value: 1, text: "" }], ["other", { value: 2 }]]),
    flags: new Set(["a", "b"]),
    pattern: /a/,
    since: new Date(5),
  };
  assertObjectMatch(actual, { name: "group" });
  assertObjectMatch(actual, { members: [{ nodeId: 1 }] });
  assertObjectMatch(actual, { codes: new Map([["ok", { value: 1 }]]) });
  assertObjectMatch(actual, { flags: new Set(["a"]), pattern: /a/ });
  assertObjectMatch(Object.assign(new Error("text"), { code: 6 }), { code: 6 });
  failure(() => assertObjectMatch(actual, { name: "other" }));
  failure(() => assertObjectMatch(actual, { absent: undefined }));
  failure(() => assertObjectMatch(actual, { members: [{ nodeId: 2 }] }));
  failure(() => assertObjectMatch({ list: [1] }, { list: [1, 2] }));
  failure(() => assertObjectMatch(actual, { codes: new Map([["no", 1]]) }));
  failure(() => assertObjectMatch(actual, { flags: new Set(["c"]) }));
  failure(() => assertObjectMatch(actual, { pattern: /b/ }));
  failure(() => assertObjectMatch(actual, { since: new Date(6) }));
  includes(failure(() => assertObjectMatch({ a: 1 }, { a: 2 }, "why")), "why");
});

Deno.test("assertThrows() returns the error it expects", () => {
  const error = new RangeError("128 bytes at most");
  const thrower = () => {
    throw error;
  };
  assertStrictEquals(assertThrows(thrower), error);
  assertStrictEquals(assertThrows(thrower, RangeError, "at most"), error);
  assertStrictEquals(assertThrows(thrower, Error).message, error.message);
  const textThrower = () => {
    // deno-lint-ignore no-throw-literal
    throw "text";
  };
  assertEquals(assertThrows(textThrower), "text");
  includes(
    failure(() => assertThrows(thrower, TypeError, "", "why")),
    '"TypeError"',
    '"RangeError"',
    "why",
  );
  includes(
    failure(() => assertThrows(thrower, RangeError, "bits")),
    '"bits"',
    "128 bytes at most",
  );
  includes(
    failure(() => assertThrows(() => {})),
    "Expected function to throw.",
  );
  includes(failure(() => assertThrows(() => {}, "why")), "throw: why");
  includes(
    failure(() => assertThrows(() => {}, Error, "text", "why")),
    "throw: why",
  );
  includes(failure(() => assertThrows(textThrower, Error)), "non-Error");
});

Deno.test("assertRejects() returns the error it expects", async () => {
  const error = new RangeError("128 bytes at most");
  const rejecter = () => Promise.reject(error);
  assertStrictEquals(await assertRejects(rejecter), error);
  assertStrictEquals(await assertRejects(rejecter, RangeError, "128"), error);
  const { message } = await assertRejects(rejecter, Error);
  assertEquals(message, error.message);

  const rejections: [run: () => Promise<unknown>, text: string][] = [
    [() => assertRejects(rejecter, TypeError), '"TypeError"'],
    [() => assertRejects(rejecter, RangeError, "bits"), '"bits"'],
    [() => assertRejects(() => Promise.resolve()), "function to reject."],
    [() => assertRejects(() => Promise.resolve(), "why"), "to reject: why"],
    [() => assertRejects(() => Promise.reject("text"), Error), "non-Error"],
    [
      () =>
        assertRejects(() => {
          throw error;
        }),
      "throws when expected to reject",
    ],
  ];
  for (const [run, text] of rejections) {
    const failed = await run().catch((error) => error);
    assertInstanceOf(failed, AssertionError);
    includes(failed.message, text);
  }
});
