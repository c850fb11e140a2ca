/**
 * Runs the tests of one file:
 *
 *     file.js FILE
 */
import process from "node:process";
import { pathToFileURL } from "node:url";
import { tests } from "./deno.ts";

/** How long a test may take, in milliseconds: less than `main.ts` gives it. */
const BOUND = 240_000;

// As `deno test --preload` has it.
await import("../preload.ts");
const [file] = process.argv.slice(2);
await import(pathToFileURL(file).href);

let [passed, failed, ignored] = [0, 0, 0];
let running = "";

function end(): never {
  console.log(`${passed} passed, ${failed} failed, ${ignored} ignored`);
  process.exit(failed ? 1 : 0);
}

const bound = setTimeout(() => {
  console.log(`${running} ... FAILED (still running after ${BOUND} ms)`);
  failed++;
  end();
}, BOUND).unref();

console.log(`running ${tests.length} tests from ${file}`);
for (const { name, fn, ignore } of tests) {
  if (ignore) {
    console.log(`${name} ... ignored`);
    ignored++;
    continue;
  }
  running = name;
  bound.refresh();
  const start = performance.now();
  const took = () => `(${Math.round(performance.now() - start)}ms)`;
  try {
    await fn();
    console.log(`${name} ... ok ${took()}`);
    passed++;
  } catch (error) {
    console.log(`${name} ... FAILED ${took()}`, error);
    failed++;
  }
}
end();
