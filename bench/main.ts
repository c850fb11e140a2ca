/**
 * Measures this library beside a C program of the same shape: `deno task
 * bench`, with the options
 *
 *     --quick             one minute instead of five
 *     --output=FOLDER     where performance.json and performance.svg go; the
 *                         results in a performance.md there are replaced
 *
 * @module
 */
import { openLibcpg } from "../ffi.ts";
import { hasCompiler, program as build } from "../tests/c.ts";
import { chart } from "./chart.ts";
import { circumstances } from "./circumstances.ts";
import { measures, MEMORY, SIZES, WARM_UP } from "./measures.ts";
import { nodePeer, onNode } from "./node.ts";
import { separate } from "./processors.ts";
import { Program } from "./programs.ts";
import type { Name, Results, Run } from "./results.ts";
import { replaceResults, summary, tables } from "./tables.ts";

const here = import.meta.dirname!;
const quick = Deno.args.includes("--quick");
const output = Deno.args.find((arg) => arg.startsWith("--output="))
  ?.slice("--output=".length) ?? `${here}/results`;

/** How long all rounds may take together, in milliseconds. */
const duration = quick ? 40_000 : 270_000;

/** Fewer rounds than this would say nothing. */
const FEWEST_ROUNDS = 3;

const separated = await separate();
openLibcpg(); // What the C program is to be linked against.
await using stack = new AsyncDisposableStack();
const programs: Partial<Record<Name, Program>> = {};
if (hasCompiler) {
  const built = stack.use(await build("../../bench/peer.c"));
  const command = (group: string) => [...separated, built.path, group];
  programs.c = stack.use(await Program.start("c", command));
} else {
  console.error("There is no C compiler (cc), so there is nothing beside it.");
}
// Under default flags, with nothing but the right to load libcpg.
const command = (group: string) => [
  ...separated,
  Deno.execPath(),
  "run",
  "--quiet",
  "--no-prompt",
  "--allow-ffi",
  "--allow-env=CPG_LIBRARY",
  `${here}/peer.ts`,
  group,
];
programs.ours = stack.use(await Program.start("ours", command));
const peer = await nodePeer();
if (typeof peer === "string") {
  console.error(`Node is left out (deno task build:npm?): ${peer}`);
} else {
  stack.use(peer);
  const command = (group: string) => [...separated, ...peer.command(group)];
  programs.node = stack.use(await Program.start("node", command));
}

const runs: Run[] = [];
const names = Object.keys(programs) as Name[];
const start = performance.now();
// Round 0 is for the compiler of JavaScript, and does not count: neither for
// ours nor for C.
let round = 0;
for (
  ;
  round <= FEWEST_ROUNDS || performance.now() - start < duration;
  round++
) {
  for (
    const [measure, { title, milliseconds, run }] of Object.entries(measures)
  ) {
    for (const size of SIZES) {
      show(`round ${round}: ${title}, ${size.toLocaleString("en")} bytes`);
      for (const program of names) {
        const time = round === 0 ? WARM_UP * milliseconds : milliseconds;
        const result = await run(programs[program]!, size, time);
        if (round > 0) runs.push({ measure, size, program, round, ...result });
      }
      // Who is first takes turns.
      names.reverse();
    }
  }
}
const memory: Results["memory"] = {};
for (const name of names) {
  show("a million messages");
  memory[name] = await programs[name]!.memory(MEMORY.floods, MEMORY.messages);
}
show("");

const results: Results = {
  circumstances: {
    ...await circumstances(),
    placement: separated.length > 0
      ? "the daemon on one processor, the programs on the others"
      : "as the kernel has it",
    rounds: round - 1,
  },
  runs,
  memory,
};
const node = onNode(results);
const text = [
  tables(results),
  ...node ? ["", "## On Node", "", tables(node)] : [],
].join("\n");
console.log(text);
await Deno.mkdir(output, { recursive: true });
const json = JSON.stringify(summary(results), undefined, 2);
await write("json", () => `${json}\n`);
await write("svg", () => chart(results));
await write("md", (document) => document && replaceResults(document, text));

/** Writes a file anew; `content` gets what it is, if it is, and can refuse. */
async function write(
  extension: string,
  content: (old: string | undefined) => string | undefined,
): Promise<void> {
  const file = `${output}/performance.${extension}`;
  const old = await Deno.readTextFile(file).catch(() => undefined);
  const text = content(old);
  if (text === undefined) return;
  await Deno.writeTextFile(file, text);
  const args = ["fmt", "--quiet", file];
  await new Deno.Command(Deno.execPath(), { args }).output();
  console.log(`Written: ${file}`);
}

/** Shows what is going on, on one line where there is a terminal. */
function show(text: string): void {
  const line = Deno.stderr.isTerminal() ? `\r${text}\x1b[K` : `${text}\n`;
  if (text || Deno.stderr.isTerminal()) {
    Deno.stderr.writeSync(new TextEncoder().encode(line));
  }
}
