/**
 * Runs the tests on the npm package as its users have it: packed, installed
 * into an empty project, imported and required, under each runtime, on a
 * private corosync that the package's own command line starts.
 *
 *     deno task test:npm [RUNTIME…] [-- TEST_FILE…]
 *
 * @module
 */
import config from "../deno.json" with { type: "json" };
import { compileTests, type Kind } from "./npm_tests.ts";
import { outDir } from "./npm_options.ts";
import { packageOptions } from "./packages.ts";
import { closingLine } from "./summary.ts";

/** The runtimes, and the npm package that each comes in. */
const RUNTIMES: Record<string, { package: string; program: string }> = {
  "node 20": { package: "node@20", program: "node" },
  "node 22": { package: "node@22", program: "node" },
  "node 24": { package: "node@24", program: "node" },
  "node current": { package: "node@latest", program: "node" },
  bun: { package: "bun@latest", program: "bun" },
  // Too old: not for the tests.
  "node 18": { package: "node@18", program: "node" },
};

/** Test files that are not for these runtimes, and why. */
const LEFT_OUT: Record<string, string> = {
  "caller_test.ts": "machine code, tested by itself",
  "cluster_conformance_test.ts": "minutes about what is the same everywhere",
  "cluster_faults_test.ts": "minutes about what is the same everywhere",
  "cluster_journal_test.ts": "about the tests themselves",
  "recorder_test.ts": "machine code, tested by itself",
  "testing_cli_test.ts":
    "about processes of Deno; here the command line runs all of this",
};

/** A test file that is only for these runtimes. */
const OF_ITS_OWN = "node/runtime.ts";

/** Test files that take minutes, and the runtime that they are for. */
const LONG: Record<string, string> = {
  "cluster_limits_test.ts": "node 24",
  "testing_cluster_test.ts": "node 24",
};

/** Test files that are run with the package required, too. */
const REQUIRED = ["group_test.ts", "join_test.ts", "zcb_test.ts", OF_ITS_OWN];

const root = new URL("../", import.meta.url);
Deno.chdir(root);

const separator = Deno.args.indexOf("--");
const names = separator < 0 ? Deno.args : Deno.args.slice(0, separator);
const chosen = separator < 0 ? [] : Deno.args.slice(separator + 1);
const runtimes = names.length > 0
  ? names
  : Object.keys(RUNTIMES).filter((name) => name !== "node 18");
const packages = await packageOptions();

const folder = Deno.makeTempDirSync({ prefix: "test-npm-" });
try {
  Deno.exitCode = await main();
} finally {
  Deno.removeSync(folder, { recursive: true });
}

async function main(): Promise<number> {
  const project = `${folder}/project`;
  const packed = JSON.parse(
    await npm(outDir, "pack", "--json", "--pack-destination", folder),
  );
  await installInto(project, `${folder}/${packed[0].filename}`);
  const { typescript, "fast-check": fastCheck } = config.imports;
  await installInto(
    folder,
    ...[typescript, fastCheck].map((target) => target.replace("npm:", "")),
  );
  const files = [...Deno.readDirSync("tests")].map(({ name }) => name)
    .filter((name) => name.endsWith("_test.ts")).toSorted()
    .filter((name) => chosen.length === 0 || chosen.includes(name));
  for (const name of files.filter((name) => name in LEFT_OUT)) {
    console.log(`Left out: ${name} (${LEFT_OUT[name]})`);
  }
  const tests = files.filter((name) => !(name in LEFT_OUT));
  if (chosen.length === 0 || chosen.includes(OF_ITS_OWN)) {
    tests.push(OF_ITS_OWN);
  }
  await compileTests(project, "esm");
  await compileTests(project, "script");

  let [passed, failed, skipped] = [0, 0, 0];
  const count = (output: string) => {
    const counts = closingLine(output).match(/\d+/g)!.map(Number);
    passed += counts[0];
    failed += counts[1];
    skipped += counts[2];
  };
  if (chosen.length === 0) {
    console.log("\n=== the package itself");
    count(await checkPackage());
    await checkTypes(project);
    await checkOldNode(project);
  }
  for (const name of runtimes) {
    const runtime = await install(name);
    for (const kind of ["esm", "script"] as const) {
      const suite = kind === "esm"
        ? tests.filter((test) => (LONG[test] ?? name) === name)
        : tests.filter((test) => REQUIRED.includes(test));
      if (suite.length === 0) continue;
      console.log(
        `\n=== ${name} (${runtime.version}), ${
          kind === "esm" ? "imported" : "required"
        }`,
      );
      count(await run(project, kind, runtime.path, suite));
    }
  }
  console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`);
  return failed === 0 ? 0 : 1;
}

/** Runs the tests of `npm_checks.ts`, and returns what they print. */
function checkPackage(): Promise<string> {
  const options = ["-A", "--no-check", ...packages];
  return shown(Deno.execPath(), {
    args: ["test", ...options, "scripts/npm_checks.ts"],
  });
}

/** Has TypeScript compile programs that import and require the package. */
async function checkTypes(project: string): Promise<void> {
  const program = `
    import { CpgError, type Group, join } from "${config.name}";
    import { type Libcpg, openLibcpg } from "${config.name}/ffi";
    import { startCluster } from "${config.name}/testing";
    export const group: Promise<Group> = join("orders");
    export const libcpg: Libcpg = openLibcpg();
    export const code: string = new CpgError("a", "b", "CS_OK").code;
    export const cluster = startCluster({ nodes: 3 });
  `;
  const files = ["types.mts", "types.cts"];
  for (const file of files) {
    Deno.writeTextFileSync(`${project}/${file}`, program);
  }
  const lib = "es2023,esnext.disposable,dom,dom.asynciterable";
  const options = ["--noEmit", "--strict", "--module", "nodenext"];
  await output(
    "node",
    [`${folder}/node_modules/typescript/bin/tsc`, ...options]
      .concat("--target", "es2022", "--lib", lib, "--types", "", files),
    project,
  );
  console.log("TypeScript finds all types, imported and required ... ok");
}

/** Imports the package in a Node that is too old for it. */
async function checkOldNode(project: string): Promise<void> {
  const { path, version } = await install("node 18");
  const program = `
    import { CpgError, join } from "${config.name}";
    import "${config.name}/ffi";
    import "${config.name}/testing";
    await join("orders").catch((error) => {
      console.log(error instanceof CpgError, error.message);
    });
  `;
  Deno.writeTextFileSync(`${project}/old.mjs`, program);
  const said = await output(path, ["old.mjs"], project);
  if (!said.startsWith("true") || !said.includes("Node.js 20 or later")) {
    throw new Error(`Node ${version} said: ${said}`);
  }
  console.log(`Node ${version} can import it, and says what it lacks ... ok`);
}

/** Runs test files, and returns what they print. */
function run(
  project: string,
  kind: Kind,
  runtime: string,
  files: string[],
): Promise<string> {
  const tests = `${project}/${kind}/tests`;
  const installed = `${project}/node_modules/${config.name}/${kind}`;
  const preload = runtime.endsWith("bun") ? "--preload" : "--import";
  const standIn = `${project}/${kind}/deno`;
  Deno.writeTextFileSync(standIn, denoStandIn(runtime, preload, tests), {
    mode: 0o755,
  });
  return shown(runtime, {
    args: [
      `${installed}/testing/mod.js`,
      "--",
      runtime,
      preload,
      `${tests}/node/deno.js`,
      `${tests}/node/main.js`,
      ...files.map((file) => `${tests}/${file.replace(/\.ts$/, ".js")}`),
    ],
    env: { DENO_STAND_IN: standIn, PACKAGE_FOLDER: installed },
  });
}

/** Runs a program, and returns what it prints, which is also shown. */
async function shown(
  program: string,
  options: Deno.CommandOptions,
): Promise<string> {
  const child = new Deno.Command(program, {
    ...options,
    stdin: "null",
    stdout: "piped",
  }).spawn();
  let output = "";
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    await Deno.stdout.write(new TextEncoder().encode(chunk));
    output += chunk;
  }
  await child.status;
  return output;
}

/** A program that takes the arguments of `deno run` and `deno eval`. */
function denoStandIn(runtime: string, preload: string, tests: string): string {
  return `#!/bin/sh
mode=$1
shift
flags=
while :; do
  case $1 in
    --v8-flags=*) flags=\${1#--v8-flags=} ;;
    -*) ;;
    *) break ;;
  esac
  shift
done
exec ${runtime} $flags ${preload} ${tests}/node/deno.js \\
  ${tests}/node/run.js "$mode" "$@"
`;
}

/** Installs a runtime from npm. */
async function install(
  name: string,
): Promise<{ path: string; version: string }> {
  const { package: target, program } = RUNTIMES[name];
  const place = `${folder}/runtimes/${name.replace(" ", "-")}`;
  await installInto(place, target);
  const path = `${place}/node_modules/.bin/${program}`;
  // Also has it put in its place whatever it puts there when it first runs.
  return { path, version: (await output(path, ["--version"])).trim() };
}

async function installInto(place: string, ...targets: string[]): Promise<void> {
  Deno.mkdirSync(place, { recursive: true });
  Deno.writeTextFileSync(`${place}/package.json`, "{}");
  await npm(place, "install", "--no-audit", "--no-fund", ...targets);
}

function npm(cwd: string, ...args: string[]): Promise<string> {
  return output("npm", ["--loglevel=error", ...args], cwd);
}

async function output(
  program: string,
  args: string[],
  cwd?: string,
): Promise<string> {
  const command = new Deno.Command(program, { args, cwd, stderr: "inherit" });
  const { success, code, stdout } = await command.output();
  if (success) return new TextDecoder().decode(stdout);
  throw new Error(`${program} ${args.join(" ")} exited with ${code}`);
}
