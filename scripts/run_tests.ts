/**
 * Runs the tests on a private corosync: `deno task test`, with the options and
 * files of `deno test`. Ends with one line that says how many tests passed,
 * failed and were skipped, and with the exit status of `deno test`.
 *
 * Where all are run, those that start nodes of their own are run at the same
 * time as the others, and print after them.
 *
 * @module
 */
import { globSync } from "node:fs";
import config from "../deno.json" with { type: "json" };
import { packageOptions } from "./packages.ts";
import { deno, denoWithCorosync } from "./run.ts";
import { closing, failures } from "./summary.ts";

/** How much of the end of the output is kept for the summary. */
const TAIL = 65_536;

/** Who runs longer than this hangs; all tests take about 10 minutes. */
const MOST_MINUTES = 40;

/** The tests that mostly wait for nodes of their own. */
const onNodes = globSync("tests/{cluster,testing}_*_test.ts");

const options = [
  "--doc",
  "--preload=tests/preload.ts",
  ...await packageOptions(),
];

/** Runs tests; returns the exit status and the end of what they printed. */
async function test(
  args: string[],
  turn?: Promise<unknown>,
): Promise<[status: number, output: string]> {
  const decoder = new TextDecoder();
  let output = "";
  const status = await denoWithCorosync(
    [
      "test",
      "-A",
      "--cached-only",
      "--no-check",
      "--sanitize-ops",
      "--sanitize-resources",
      ...options,
      ...args,
    ],
    {
      listener: (chunk) => {
        output += decoder.decode(chunk, { stream: true });
        output = output.slice(-TAIL);
      },
      turn,
      minutes: MOST_MINUTES,
    },
  );
  return [status, output];
}

/** Runs what the arguments say, or everything. */
async function testAll(): Promise<[status: number, output: string][]> {
  // The private corosync has no network, so everything is fetched before it.
  const status = await deno(["test", "--no-run", ...options, ...Deno.args]);
  if (status !== 0) return [[status, ""]];
  if (Deno.args.length > 0) return [await test(Deno.args)];
  // An --ignore replaces what deno.json excludes.
  const others = test([`--ignore=${[...config.exclude, ...onNodes]}`]);
  return await Promise.all([others, test(onNodes, others)]);
}

const results = await testAll();
const outputs = results.map(([, output]) => output);
// Of all but the last, what failed stands far above.
console.log(closing(outputs.slice(0, -1).flatMap(failures), ...outputs));
Deno.exit(results.find(([status]) => status !== 0)?.[0] ?? 0);
