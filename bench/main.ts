/**
 * Measures this library beside a C program of the same shape: `deno task
 * bench`, with the options
 *
 *     --quick             two minutes instead of seven
 *     --output=FOLDER     where performance.json and performance.svg go; the
 *                         results in a performance.md there are replaced
 *
 * @module
 */
import { openLibcpg } from "../ffi.ts";
import { hasCompiler, program as build } from "../tests/c.ts";
import { chart } from "./chart.ts";
import { circumstances } from "./circumstances.ts";
import { restartKeeping } from "./keeping.ts";
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

/**
 * How long all rounds may take together, in milliseconds: those with the daemon
 * as it comes, and those with one that keeps its memory.
 */
const durations = quick ? [40_000, 20_000] : [270_000, 130_000];

/** Fewer rounds than this would say nothing. */
const FEWEST_ROUNDS = 3;

openLibcpg(); // What the C program is to be linked against.
await using stack = new AsyncDisposableStack();
const built = hasCompiler
  ? stack.use(await build("../../bench/peer.c"))
  : undefined;
if (!built) {
  console.error("There is no C compiler (cc), so there is nothing beside it.");
}
const peer = await nodePeer();
if (typeof peer === "string") {
  console.error(`Node is left out (deno task build:npm?): ${peer}`);
} else stack.use(peer);

let separated = await separate();
const runs: Run[] = [];
const memory: Results["memory"] = {};
const rounds = await runAll(false);
await restartKeeping();
separated = await separate();
await runAll(true);
show("");

/** Starts all programs, which end with the stack. */
async function startPrograms(
  stack: AsyncDisposableStack,
): Promise<Partial<Record<Name, Program>>> {
  const commands: Partial<Record<Name, string[]>> = {
    c: built && [built.path],
    // Under default flags, with nothing but the right to load libcpg.
    ours: [
      Deno.execPath(),
      "run",
      "--quiet",
      "--no-prompt",
      "--allow-ffi",
      "--allow-env=CPG_LIBRARY",
      `${here}/peer.ts`,
    ],
    node: typeof peer === "string" ? undefined : peer.command,
  };
  const programs: Partial<Record<Name, Program>> = {};
  for (const [name, command] of Object.entries(commands)) {
    if (!command) continue;
    const start = (group: string) => [...separated, ...command, group];
    programs[name as Name] = stack.use(await Program.start(name, start));
  }
  return programs;
}

/** Runs what is measured with one of the two daemons; says how many rounds. */
async function runAll(keeping: boolean): Promise<number> {
  await using stack = new AsyncDisposableStack();
  const programs = await startPrograms(stack);
  const names = Object.keys(programs) as Name[];
  const start = performance.now();
  // Round 0 is for the compiler of JavaScript, and does not count: neither for
  // ours nor for C.
  let round = 0;
  for (
    ;
    round <= FEWEST_ROUNDS ||
    performance.now() - start < durations[Number(keeping)];
    round++
  ) {
    for (const [measure, what] of Object.entries(measures)) {
      if (Boolean(what.keeping) !== keeping) continue;
      const { title, milliseconds, run } = what;
      for (const size of SIZES) {
        show(`round ${round}: ${title}, ${size.toLocaleString("en")} bytes`);
        for (const program of names) {
          const time = round === 0 ? WARM_UP * milliseconds : milliseconds;
          const result = await run(programs[program]!, size, time);
          if (round > 0) {
            runs.push({ measure, size, program, round, ...result });
          }
        }
        // Who is first takes turns.
        names.reverse();
      }
    }
  }
  if (keeping) return round - 1;
  for (const name of names) {
    show("a million messages");
    const { floods, messages } = MEMORY;
    memory[name] = await programs[name]!.memory(floods, messages);
  }
  return round - 1;
}

const results: Results = {
  circumstances: {
    ...await circumstances(),
    placement: separated.length > 0
      ? "the daemon on one processor, the programs on the others"
      : "as the kernel has it",
    rounds,
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
