/**
 * Runs the tests on the npm package as its users have it: packed, installed
 * into an empty project, imported and required, under each runtime, on a
 * private corosync that the package's own command line starts.
 *
 *     deno task test:npm [--all] [RUNTIME…] [-- TEST_FILE…]
 *
 * Not every runtime runs every test, unless with `--all`: see `npm_suites.ts`.
 *
 * @module
 */
import config from "../deno.json" with { type: "json" };
import { TextLineStream } from "../bench/lines.ts";
import { outDir } from "./npm_options.ts";
import { OLD_NODE, RUNTIMES, type Suite, suites } from "./npm_suites.ts";
import { compileTests } from "./npm_tests.ts";
import { packageOptions } from "./packages.ts";
import { closing, count, failures } from "./summary.ts";

/** How many suites run at a time: they wait more than they work. */
const LANES = 2;

const root = new URL("../", import.meta.url);
Deno.chdir(root);

const separator = [...Deno.args, "--"].indexOf("--");
const [names, files] = [
  Deno.args.slice(0, separator),
  Deno.args.slice(separator + 1),
];
const all = names.includes("--all");
const runtimes = names.filter((name) => name !== "--all");
const todo = suites({ runtimes, files, all });
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
  await compileTests(project, "esm");
  await compileTests(project, "script");

  const outputs: string[] = [];
  const failed: string[] = []; // what one would otherwise have to look for
  const note = (output: string, mark: string) => {
    outputs.push(output);
    failed.push(...failures(output).map((line) => `${mark} | ${line}`));
  };
  if (files.length === 0) {
    note(await checkPackage(), "package");
    await checkTypes(project);
    await checkOldNode(project);
  }
  const installed: Record<string, Promise<Runtime>> = {};
  const lane = async () => {
    for (let suite = todo.shift(); suite; suite = todo.shift()) {
      const { runtime } = suite;
      installed[runtime] ??= install(RUNTIMES[runtime]);
      const output = await run(project, suite, await installed[runtime]);
      note(output, titleOf(suite));
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  console.log(closing(failed, ...outputs));
  return count(...outputs).failed === 0 ? 0 : 1;
}

/** Runs the tests of `npm_checks.ts`, and returns what they print. */
function checkPackage(): Promise<string> {
  const options = ["-A", "--no-check", ...packages];
  return shown(Deno.execPath(), {
    args: ["test", ...options, "scripts/npm_checks.ts"],
  }, "package");
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
      .concat("--target", "es2022", "--lib", lib, files),
    project,
  );
  console.log("TypeScript finds all types, imported and required ... ok");
}

/** Imports the package in a Node that is too old for it. */
async function checkOldNode(project: string): Promise<void> {
  const { path, version } = await install(OLD_NODE);
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

function titleOf({ runtime, kind }: Suite): string {
  return kind === "esm" ? runtime : `${runtime}, required`;
}

/** Runs a suite on a private corosync of its own; returns what it prints. */
function run(
  project: string,
  suite: Suite,
  { path, version }: Runtime,
): Promise<string> {
  const { kind, files } = suite;
  const title = titleOf(suite);
  console.log(`${title} | is ${version}`);
  const tests = `${project}/${kind}/tests`;
  const installed = `${project}/node_modules/${config.name}/${kind}`;
  const standIn = `${folder}/${title.replaceAll(/\W+/g, "-")}`;
  Deno.writeTextFileSync(standIn, denoStandIn(path, tests), { mode: 0o755 });
  return shown(path, {
    args: [
      `${installed}/testing/mod.js`,
      "--",
      path,
      `${tests}/node/main.js`,
      ...files.map((file) => `${tests}/${file.replace(/\.ts$/, ".js")}`),
    ],
    env: { DENO_STAND_IN: standIn, PACKAGE_FOLDER: installed },
  }, title);
}

/** Runs a program; returns what it prints, and shows it, each line marked. */
async function shown(
  program: string,
  options: Deno.CommandOptions,
  mark: string,
): Promise<string> {
  const child = new Deno.Command(program, {
    ...options,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let output = "";
  const show = async (stream: ReadableStream<Uint8Array>) => {
    const lines = stream.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream());
    for await (const line of lines) {
      console.log(`${mark} | ${line}`);
      output += `${line}\n`;
    }
  };
  await Promise.all([show(child.stdout), show(child.stderr)]);
  await child.status;
  return output;
}

/** A program that takes the arguments of `deno run` and `deno eval`. */
function denoStandIn(runtime: string, tests: string): string {
  const preload = runtime.endsWith("bun") ? "--preload" : "--import";
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

/** A runtime that is installed. */
interface Runtime {
  readonly path: string;
  readonly version: string;
}

/** Installs a runtime from npm. */
async function install(
  { package: target, program }: typeof OLD_NODE,
): Promise<Runtime> {
  const place = `${folder}/${target}`;
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
  const text = new TextDecoder().decode(stdout);
  if (success) return text;
  throw new Error(`${program} ${args.join(" ")} exited with ${code}\n${text}`);
}
