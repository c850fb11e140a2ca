/**
 * Which tests the npm package is tested with, on which runtimes.
 *
 * @module
 */

/** The runtimes, and the npm package that each comes in. */
export const RUNTIMES: Record<string, { package: string; program: string }> = {
  "node 20": { package: "node@20", program: "node" },
  "node 22": { package: "node@22", program: "node" },
  "node 24": { package: "node@24", program: "node" },
  "node current": { package: "node@latest", program: "node" },
  bun: { package: "bun@latest", program: "bun" },
};

/** Too old a Node for the tests. */
export const OLD_NODE = { package: "node@18", program: "node" };

/** One Node and Bun run everything, the others what may differ there. */
const WHOLE = ["node 24", "bun"];

/** The test file that is only for these runtimes. */
const OF_ITS_OWN = "node/runtime.ts";

/** What versions of Node may differ in: memory, threads, the event loop. */
const VARYING = [
  "group_test.ts",
  "handles_test.ts",
  "join_test.ts",
  "reconnect_test.ts",
  "turns_test.ts",
  "worker_test.ts",
  "zcb_safety_test.ts",
  "zcb_test.ts",
  "zcb_variants_test.ts",
  OF_ITS_OWN,
];

/** What is run with the package required, too. */
const REQUIRED = ["group_test.ts", "join_test.ts", "zcb_test.ts", OF_ITS_OWN];

/** What is for none of these runtimes, and why. */
const FOR_NONE: Record<string, string> = {
  "cluster_conformance_test.ts": "minutes about what is the same everywhere",
  "cluster_faults_test.ts": "minutes about what is the same everywhere",
  "cluster_journal_test.ts": "about the tests themselves",
  "ffi_errors_test.ts": "what corosync answers, and a document",
  "functions_test.ts": "machine code, tested by itself",
  "recorder_test.ts": "machine code, tested by itself",
  "testing_cli_test.ts":
    "about processes of Deno; here the command line runs all of this",
};

/** What takes long and is the same on Bun as on the Node that runs it. */
const ONCE = ["testing_cluster_test.ts"];

/** What fails on Bun, and why. */
const NOT_ON_BUN: Record<string, string> = {
  "cluster_limits_test.ts": "a program that has no descriptor left hangs there",
};

/** Test files for one runtime. */
export interface Suite {
  readonly runtime: string;
  /** With the package imported, or required. */
  readonly kind: "esm" | "script";
  readonly files: string[];
}

/** What to run, and what not. */
export interface Choice {
  /** Runtimes; all if there are none. */
  readonly runtimes: readonly string[];
  /** Test files; those that are best for each runtime if there are none. */
  readonly files: readonly string[];
  /** Whether all runtimes run everything. */
  readonly all: boolean;
}

/** The suites to run, the longest first; says what is left out, and why. */
export function suites({ runtimes, files, all }: Choice): Suite[] {
  const unknown = runtimes.find((name) => !(name in RUNTIMES));
  if (unknown) {
    throw new Error(
      `There is no "${unknown}": ${Object.keys(RUNTIMES).join(", ")}`,
    );
  }
  const names = runtimes.length > 0 ? runtimes : Object.keys(RUNTIMES);
  const whole = (name: string) => all || WHOLE.includes(name);
  const available = [...Deno.readDirSync("tests")].map(({ name }) => name)
    .filter((name) => name.endsWith("_test.ts")).toSorted();
  available.push(OF_ITS_OWN);
  const absent = files.find((file) => !available.includes(file));
  if (absent) throw new Error(`There is no test file ${absent}`);
  const present = files.length > 0 ? files : available;
  for (const file of present.filter((file) => file in FOR_NONE)) {
    console.log(`Left out: ${file} (${FOR_NONE[file]})`);
  }
  const tests = present.filter((file) => !(file in FOR_NONE));
  const result = names.map((runtime): Suite => {
    const failing = runtime === "bun" ? NOT_ON_BUN : {};
    for (const file of tests.filter((file) => file in failing)) {
      console.log(`Left out on ${runtime}: ${file} (${failing[file]})`);
    }
    const working = tests.filter((file) => !(file in failing));
    const chosen = working.filter((file) =>
      files.length > 0 || all ||
      (whole(runtime) || VARYING.includes(file)) &&
        (runtime === WHOLE[0] || !ONCE.includes(file))
    );
    const rest = working.filter((file) => !chosen.includes(file));
    if (rest.length > 0) {
      const reason = whole(runtime)
        ? `once is enough: ${WHOLE[0]} runs them`
        : `versions of Node differ elsewhere: ${WHOLE.join(" and ")} run them`;
      console.log(
        `Left out on ${runtime}: ${rest.join(", ")} (${reason}; --all for all)`,
      );
    }
    return { runtime, kind: "esm", files: chosen };
  }).toSorted((a, b) => b.files.length - a.files.length);
  const required = tests.filter((file) => REQUIRED.includes(file));
  for (const runtime of names) {
    result.push({ runtime, kind: "script", files: required });
  }
  return result.filter(({ files }) => files.length > 0);
}
