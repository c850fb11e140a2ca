/**
 * Compiles the tests, and the examples that they run, for runtimes other than
 * Deno, so that they use the installed npm package.
 *
 * @module
 */
import ts from "typescript";
import { dirname, join, relative } from "node:path";
import config from "../deno.json" with { type: "json" };
import { rewriteSpecifiers } from "./npm_compiler.ts";
import type { Suite } from "./npm_suites.ts";
import { standIns } from "./packages.ts";

/** Folders with what is compiled. */
const FOLDERS = ["tests", "examples"];

/** Compiles everything into a folder of the project, named by the kind. */
export async function compileTests(
  project: string,
  kind: Suite["kind"],
): Promise<void> {
  const entryPoints = new Map(
    Object.entries(config.exports).map(([name, path]) => [
      join(path),
      join(config.name, name),
    ]),
  );
  const out = `${project}/${kind}`;
  const locate = (path: string, specifier: string): string => {
    const standIn = standIns[specifier];
    if (standIn) return way(path, `tests/stand_ins/${standIn}`);
    if (!specifier.startsWith(".")) return specifier;
    const target = join(dirname(path), specifier);
    const name = entryPoints.get(target);
    if (name && kind === "esm") return name;
    if (name) return way(path, `required/${target}`);
    if (FOLDERS.some((folder) => target.startsWith(`${folder}/`))) {
      return way(path, target);
    }
    // What is not public.
    return way(path, join("../node_modules", config.name, kind, target));
  };
  for (const folder of [...FOLDERS, "LICENSE"]) {
    for (const path of files(folder)) {
      if (!path.endsWith(".ts")) {
        Deno.mkdirSync(dirname(`${out}/${path}`), { recursive: true });
        Deno.copyFileSync(path, `${out}/${path}`);
        continue;
      }
      const text = Deno.readTextFileSync(path);
      const located = rewriteSpecifiers(
        path,
        text,
        (specifier) => locate(path, specifier),
      );
      const { outputText } = ts.transpileModule(located, {
        compilerOptions: {
          target: ts.ScriptTarget.ES2022,
          module: ts.ModuleKind.ESNext,
        },
      });
      write(`${out}/${path.replace(/\.ts$/, ".js")}`, outputText);
    }
  }
  write(`${out}/package.json`, '{ "type": "module" }');
  if (kind === "esm") return;
  for (const [path, name] of entryPoints) {
    write(
      `${out}/required/${path.replace(/\.ts$/, ".js")}`,
      await required(project, name),
    );
  }
}

/** A module with what a module of the package has when it is required. */
async function required(project: string, name: string): Promise<string> {
  const { stdout } = await new Deno.Command("node", {
    args: ["-p", `Object.keys(require("${name}")).join(", ")`],
    cwd: project,
    stderr: "inherit",
  }).output();
  return `\
import { createRequire } from "node:module";
const required = createRequire(import.meta.url)("${name}");
export const { ${new TextDecoder().decode(stdout).trim()} } = required;
`;
}

function way(from: string, to: string): string {
  const path = relative(dirname(from), to).replace(/\.ts$/, ".js");
  return path.startsWith(".") ? path : `./${path}`;
}

/** A file, or all files of a folder. */
function* files(path: string): Generator<string> {
  if (Deno.statSync(path).isFile) return yield path;
  for (const { name } of Deno.readDirSync(path)) {
    yield* files(`${path}/${name}`);
  }
}

function write(path: string, text: string): void {
  Deno.mkdirSync(dirname(path), { recursive: true });
  Deno.writeTextFileSync(path, text);
}
