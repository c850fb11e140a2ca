/**
 * Measures this library beside a C program of the same shape: `deno task
 * bench`, with the options
 *
 *     --quick             four minutes instead of ten
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
 * How long all rounds may take together, in milliseconds: with the daemon as it
 * comes, and with one that keeps its memory.
 */
const [duration, keepingDuration] = quick
  ? [40_000, 20_000]
  : [360_000, 150_000];

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
} else {
  stack.use(peer);
}

const runs: Run[] = [];
const memory: Results["memory"] = {};
const separated = await separate();
const rounds = await withPrograms(separated, async (programs) => {
  const rounds = await runAll(programs, false, duration);
  for (const [name, program] of Object.entries(programs)) {
    show("a million messages");
    const { floods, messages } = MEMORY;
    memory[name as Name] = await program.memory(floods, messages);
  }
  return rounds;
});
await restartKeeping();
const keepingRounds = await withPrograms(
  await separate(),
  (programs) => runAll(programs, true, keepingDuration),
);
show("");

/** Has all programs run during a task; their commands begin with `separated`. */
async function withPrograms<T>(
  separated: string[],
  task: (programs: Partial<Record<Name, Program>>) => Promise<T>,
): Promise<T> {
  await using stack = new AsyncDisposableStack();
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
  return await task(programs);
}

/** Runs what is measured with one of the two daemons; says how many rounds. */
async function runAll(
  programs: Partial<Record<Name, Program>>,
  withKeeping: boolean,
  duration: number,
): Promise<number> {
  const chosen = Object.entries(measures)
    .filter(([, { keeping = false }]) => keeping === withKeeping);
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
    for (const [measure, { title, milliseconds, run }] of chosen) {
      for (const size of SIZES) {
        show(`round ${round}: ${title}, ${size.toLocaleString("en")} bytes`);
        for (const program of names) {
          const time = round === 0 ? WARM_UP * milliseconds : milliseconds;
          const result = await run(programs[program]!, size, time);
          if (round === 0) continue;
          runs.push({ measure, size, program, round, ...result });
        }
        // Who is first takes turns.
        names.reverse();
      }
    }
  }
  return round - 1;
}

const results: Results = {
  circumstances: {
    ...await circumstances(),
    placement: separated.length > 0
      ? "the daemon on one processor, the programs on the others"
      : "as the kernel has it",
    rounds:
      `${rounds}, and ${keepingRounds} with the daemon that keeps its memory`,
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
