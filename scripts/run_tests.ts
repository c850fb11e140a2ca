/**
 * Runs the tests on a private corosync: `deno task test`, with the options and
 * files of `deno test`. Ends with one line that says how many tests passed,
 * failed and were skipped, and with the exit status of `deno test`.
 *
 * @module
 */
import { packageOptions } from "./packages.ts";
import { deno, denoWithCorosync } from "./run.ts";
import { closingLine } from "./summary.ts";

/** How much of the end of the output is kept for the summary. */
const TAIL = 65_536;

/**
 * What breaks whole clusters, and takes minutes for it: run by `deno task
 * test:cluster`, or by name.
 */
const CLUSTER = ["conformance", "faults", "limits"]
  .map((name) => `tests/cluster_${name}_test.ts`);

const named = Deno.args.some((arg) => arg.endsWith(".ts"));
const options = [
  "--doc",
  ...named ? [] : [`--ignore=${CLUSTER.join()}`],
  "--preload=tests/preload.ts",
  ...await packageOptions(),
];

// The private corosync has no network, so everything is fetched before it.
let status = await deno(["test", "--no-run", ...options, ...Deno.args]);
let output = "";
if (status === 0) {
  const decoder = new TextDecoder();
  status = await denoWithCorosync([
    "test",
    "-A",
    "--cached-only",
    "--no-check",
    "--sanitize-ops",
    "--sanitize-resources",
    ...options,
    ...Deno.args,
  ], (chunk) => {
    output = (output + decoder.decode(chunk, { stream: true })).slice(-TAIL);
  });
}
console.log(`\n${closingLine(output)}`);
Deno.exit(status);
