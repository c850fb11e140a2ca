import { assertEquals } from "@std/assert";
import { closingLine, failures } from "./summary.ts";

const cases: [what: string, output: string, line: string][] = [
  [
    "a run without a failure",
    "a ... ok (1ms)\n\nok | 3 passed | 0 failed (5ms)\n\n",
    "3 passed, 0 failed, 0 skipped",
  ],
  [
    "steps, and what else is counted",
    "FAILED | 13 passed (4 steps) | 2 failed (1 step) | 1 flaky | 5 ignored (2 steps) | 1 measured | 6 filtered out (1m0s)",
    "13 passed, 2 failed, 5 skipped",
  ],
  [
    "colours",
    "\x1b[0m\x1b[32mok\x1b[0m | 1 passed | 0 failed \x1b[0m\x1b[38;5;245m(7ms)\x1b[0m",
    "1 passed, 0 failed, 0 skipped",
  ],
  [
    "the last of several summaries",
    "ok | 9 passed | 0 failed (1ms)\nFAILED | 0 passed | 1 failed (1ms)\nbye\n",
    "0 passed, 1 failed, 0 skipped",
  ],
  [
    "a run that was cut off",
    "running 2 tests\na ... ok (1ms)\nb ...",
    "0 passed, 1 failed, 0 skipped",
  ],
];

for (const [what, output, line] of cases) {
  Deno.test(`closingLine() of ${what}`, () => {
    assertEquals(closingLine(output), line);
  });
}

Deno.test("closingLine() sums up what was run at the same time", () => {
  const outputs = [
    "FAILED | 3 passed | 1 failed | 2 ignored (5ms)\n",
    "running 2 tests",
    "ok | 4 passed | 0 failed (1s)\n",
  ];
  assertEquals(closingLine(...outputs), "7 passed, 2 failed, 2 skipped");
});

Deno.test("failures() are told from what surrounds them", () => {
  const output = "running 3 tests from a_test.js\na ... ok (1ms)\n" +
    "b ... \x1b[31mFAILED\x1b[0m (2ms) Error: no\n    at b.js:1\n" +
    "c ... ignored\nd\n" +
    "e ... FAILED (1ms) Error: nor this\n1 passed, 2 failed, 1 ignored\n" +
    "b_test.js ... FAILED (SIGKILL)\n\nFAILED | 1 passed | 3 failed (1s)\n";
  assertEquals(failures(output), [
    "b ... FAILED (2ms) Error: no",
    "    at b.js:1",
    "e ... FAILED (1ms) Error: nor this",
    "b_test.js ... FAILED (SIGKILL)",
  ]);
});

Deno.test("failures() are what `deno test` itself says at the end of them", () => {
  const output = "running 2 tests from a_test.ts\na ... FAILED (1ms)\n" +
    "b ...\nUncaught error from a_test.ts FAILED\nb ... cancelled (0ms)\n" +
    "\n\x1b[1m ERRORS \x1b[0m\n\na => a_test.ts:1:6\nerror: Error: no\n" +
    "\n FAILURES \n\na => a_test.ts:1:6\na_test.ts (uncaught error)\n" +
    "\nFAILED | 0 passed | 3 failed (2ms)\n";
  assertEquals(failures(output), [
    "a => a_test.ts:1:6",
    "error: Error: no",
    " FAILURES ",
    "a => a_test.ts:1:6",
    "a_test.ts (uncaught error)",
    "FAILED | 0 passed | 3 failed (2ms)",
  ]);
});

Deno.test("failures() of what has ended early are its last words", () => {
  assertEquals(failures("a ... ok (1ms)\nnever began\n"), [
    "a ... ok (1ms)",
    "never began",
  ]);
  assertEquals(failures("ok | 3 passed | 0 failed (1s)\n"), []);
});
