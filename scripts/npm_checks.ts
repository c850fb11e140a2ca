/**
 * Tests of the built npm package that need no runtime: its files, its
 * package.json, and its types. `scripts/test_npm.ts` runs them.
 *
 * What is expected here is what the documentation of dnt says that it makes of
 * the options in `npm_options.ts`, found out without what stands in for it.
 */
import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { relative } from "node:path";
import ts from "typescript";
import config from "../deno.json" with { type: "json" };
import { options, outDir } from "./npm_options.ts";

const root = fileURLToPath(new URL("../", import.meta.url));

async function output(program: string, ...args: string[]): Promise<string> {
  const command = new Deno.Command(program, { args, cwd: root });
  const { success, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  assert(success, decoder.decode(stderr));
  return decoder.decode(stdout);
}

/** The modules of this project that some modules lead to. */
async function graph(...entryPoints: string[]): Promise<Set<string>> {
  const found = new Set<string>();
  for (const entryPoint of entryPoints) {
    const info = await output(Deno.execPath(), "info", "--json", entryPoint);
    const { modules } = JSON.parse(info) as { modules: { local?: string }[] };
    for (const { local } of modules) {
      const path = local && relative(root, local);
      if (path && !path.startsWith("..")) found.add(path);
    }
  }
  return found;
}

/** The modules that the package is made of: one port is put for the other. */
async function sources(): Promise<Set<string>> {
  const [[from, to]] = Object.entries(options.mappings);
  const found = await graph(...Object.values(config.exports));
  assert(found.delete(from.replace("./", "")));
  return found.union(await graph(to));
}

Deno.test("npm: the package has the files that it should, and no others", async () => {
  const expected = ["LICENSE", "README.md", "package.json"];
  for (const kind of ["esm", "script"]) {
    expected.push(`${kind}/package.json`);
    for (const source of [...await sources(), "_dnt.polyfills.ts"]) {
      const path = `${kind}/${source.replace(/\.ts$/, "")}`;
      expected.push(`${path}.js`, `${path}.d.ts`);
    }
  }
  const packed = await output(
    "npm",
    "pack",
    "--dry-run",
    "--json",
    `./${outDir}`,
  );
  const { files } = JSON.parse(packed)[0] as { files: { path: string }[] };
  assertEquals(files.map(({ path }) => path).toSorted(), expected.toSorted());
});

Deno.test("npm: package.json is what dnt makes of the options", () => {
  const text = Deno.readTextFileSync(`${outDir}/package.json`);
  const { _generatedBy, ...actual } = JSON.parse(text);
  const expected = {
    name: config.name,
    version: config.version,
    description: config.description,
    keywords: config.keywords,
    license: config.license,
    main: "./script/mod.js",
    module: "./esm/mod.js",
    exports: {
      ".": { import: "./esm/mod.js", require: "./script/mod.js" },
      "./ffi": { import: "./esm/ffi.js", require: "./script/ffi.js" },
      "./testing": {
        import: "./esm/testing/mod.js",
        require: "./script/testing/mod.js",
      },
    },
    scripts: {},
    engines: { node: ">=20" },
    dependencies: { koffi: config.imports.koffi.replace("npm:koffi@", "") },
    devDependencies: { "@types/node": "^20.19.0" },
  };
  assertEquals(actual, expected);
  assertEquals(Object.keys(actual), Object.keys(expected));
});

/** What the sources of some modules declare, by path. */
function declared(...entryPoints: string[]): Map<string, string> {
  const program = ts.createProgram(entryPoints, {
    target: ts.ScriptTarget.ESNext,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    allowImportingTsExtensions: true,
    declaration: true,
    emitDeclarationOnly: true,
    strict: true,
    rootDir: root,
    outDir: "/",
  });
  const texts = new Map<string, string>();
  program.emit(undefined, (path, text) => {
    texts.set(path.replace(/^\/(.*)\.d\.ts$/, "$1.ts"), text);
  });
  return texts;
}

/** What a module declares, without comments and where it imports from. */
function declarations(text: string): string[] {
  const file = ts.createSourceFile("a.ts", text, ts.ScriptTarget.Latest);
  const printer = ts.createPrinter({ removeComments: true });
  return file.statements.map((statement) =>
    printer.printNode(ts.EmitHint.Unspecified, statement, file)
      .replaceAll(/(["']\.[^"']*)\.(?:ts|js)(["'])/g, "$1$2")
      .replaceAll("native/deno", "native/node")
  ).filter((line) => !line.includes("_dnt.polyfills"));
}

Deno.test("npm: what the package declares is what the sources do", () => {
  const ofDeno = declared(...Object.values(config.exports));
  const [[from]] = Object.entries(options.mappings);
  assert(ofDeno.delete(from.replace("./", "")));
  assert(ofDeno.size > 40);
  for (const [source, text] of ofDeno) {
    for (const kind of ["esm", "script"]) {
      const path = `${outDir}/${kind}/${source.replace(/\.ts$/, ".d.ts")}`;
      const actual = declarations(Deno.readTextFileSync(path));
      assertEquals(actual, declarations(text), path);
    }
  }
});

Deno.test("npm: both ports declare the same", () => {
  const [[from, to]] = Object.entries(options.mappings);
  const [deno, node] = [from, to].map((path) => {
    const text = declared(path).get(path.replace("./", ""))!;
    return declarations(text).filter((line) => line.startsWith("export "))
      .toSorted();
  });
  assert(deno.length > 8);
  assertEquals(node, deno);
});
