/**
 * Stands in for `build` of `@deno/dnt` where JSR cannot be reached: compiles a
 * Deno module to the package that dnt would make of it, as far as the options
 * in use here go.
 *
 * @module
 */
import ts from "typescript";
import { dirname, join, relative, resolve } from "node:path";
import config from "../deno.json" with { type: "json" };
import type { BuildOptions } from "./npm_options.ts";

/** What dnt calls the module that provides what older runtimes lack. */
const POLYFILLS = "_dnt.polyfills.ts";

/** The stand-in for it, beside this file. */
const POLYFILLS_SOURCE = new URL("npm_polyfills.ts", import.meta.url);

/** The sources to compile, by path relative to the root. */
type Sources = Map<string, string>;

/** Builds the package. */
export async function compile(options: BuildOptions): Promise<void> {
  const { sources, packages } = collect(options);
  const { outDir } = options;
  Deno.mkdirSync(outDir, { recursive: true });
  write(join(outDir, "package.json"), json(packageJson(options, packages)));
  write(join(outDir, ".npmignore"), NPM_IGNORE);
  await install(outDir);
  emit(options, sources, "esm");
  emit(options, sources, "script");
  options.postBuild();
}

const NPM_IGNORE = `/src/
/test_runner.cjs
yarn.lock
pnpm-lock.yaml
`;

/** The modules that the entry points lead to, ready to compile. */
function collect(
  options: BuildOptions,
): { sources: Sources; packages: Set<string> } {
  const sources: Sources = new Map();
  const packages = new Set<string>();
  const mappings = new Map(
    Object.entries(options.mappings).map(([from, to]) => [
      join(from),
      join(to),
    ]),
  );
  const add = (path: string) => {
    if (sources.has(path)) return;
    sources.set(path, "");
    const text = Deno.readTextFileSync(path);
    const imported: string[] = [];
    sources.set(
      path,
      rewriteSpecifiers(path, text, (specifier) => {
        if (!specifier.startsWith(".")) {
          if (!specifier.startsWith("node:")) packages.add(specifier);
          return specifier;
        }
        const written = join(dirname(path), specifier);
        const target = mappings.get(written) ?? written;
        imported.push(target);
        const way = relative(dirname(path), target).replace(/\.ts$/, ".js");
        return way.startsWith(".") ? way : `./${way}`;
      }),
    );
    imported.forEach(add);
  };
  for (const { path } of options.entryPoints) add(join(path));
  for (const { path } of options.entryPoints) {
    const way = relative(dirname(path), POLYFILLS).replace(/\.ts$/, ".js");
    const specifier = way.startsWith(".") ? way : `./${way}`;
    sources.set(
      join(path),
      `import ${JSON.stringify(specifier)};\n${sources.get(join(path))}`,
    );
  }
  sources.set(POLYFILLS, Deno.readTextFileSync(POLYFILLS_SOURCE));
  return { sources, packages };
}

/** A source with each module specifier in it replaced. */
export function rewriteSpecifiers(
  path: string,
  text: string,
  replace: (specifier: string) => string,
): string {
  const { importedFiles } = ts.preProcessFile(text, true, true);
  let result = "";
  let last = 0;
  for (
    const { fileName, pos, end } of importedFiles.toSorted((a, b) =>
      a.pos - b.pos
    )
  ) {
    const literal = text.indexOf(fileName, pos);
    if (literal < 0 || literal > end) {
      throw new Error(`${path}: cannot find the import of ${fileName}`);
    }
    result += text.slice(last, literal) + replace(fileName);
    last = literal + fileName.length;
  }
  return result + text.slice(last);
}

/** Type-checks and compiles the sources to one kind of module. */
function emit(
  options: BuildOptions,
  sources: Sources,
  kind: "esm" | "script",
): void {
  const root = resolve(options.outDir);
  const src = join(root, "src");
  const { target, lib, ...strictness } = options.compilerOptions;
  const script = kind === "script";
  const compilerOptions: ts.CompilerOptions = {
    ...strictness,
    strict: true,
    target: ts.ScriptTarget[target],
    lib: lib.map((name) => `lib.${name.toLowerCase()}.d.ts`),
    types: ["node"],
    typeRoots: [join(root, "node_modules/@types")],
    module: script ? ts.ModuleKind.CommonJS : ts.ModuleKind.ESNext,
    moduleResolution: script
      ? ts.ModuleResolutionKind.Node10
      : ts.ModuleResolutionKind.Bundler,
    esModuleInterop: script,
    allowSyntheticDefaultImports: true,
    isolatedModules: true,
    useDefineForClassFields: true,
    skipLibCheck: true,
    declaration: true,
    rootDir: src,
    outDir: join(root, kind),
  };
  const texts = new Map(
    Array.from(sources, ([path, text]) => [join(src, path), text]),
  );
  const host = ts.createCompilerHost(compilerOptions, true);
  const { getSourceFile, fileExists, readFile } = host;
  host.getCurrentDirectory = () => root;
  // Otherwise no file is looked for in a folder that is not there.
  host.directoryExists = undefined;
  host.fileExists = (path) => texts.has(path) || fileExists(path);
  host.readFile = (path) => texts.get(path) ?? readFile(path);
  host.getSourceFile = (path, languageVersion, ...rest) => {
    const text = texts.get(path);
    return text === undefined
      ? getSourceFile(path, languageVersion, ...rest)
      : ts.createSourceFile(path, text, languageVersion, true);
  };
  host.writeFile = write;
  const program = ts.createProgram([...texts.keys()], compilerOptions, host);
  const { diagnostics } = program.emit(undefined, undefined, undefined, false, {
    before: [transformImportMeta],
  });
  const problems = [...ts.getPreEmitDiagnostics(program), ...diagnostics]
    // `import.meta` in a script is transformed.
    .filter(({ code }) => code !== 1343 && code !== 1470);
  if (problems.length > 0) {
    throw new Error(ts.formatDiagnostics(problems, host));
  }
  const type = script ? "commonjs" : "module";
  write(join(root, kind, "package.json"), json({ type }));
}

/**
 * Hands `import.meta` to the polyfill: a CommonJS module has none, and an older
 * Node an incomplete one.
 */
function transformImportMeta(
  context: ts.TransformationContext,
): ts.Transformer<ts.SourceFile> {
  const { factory } = context;
  const { module } = context.getCompilerOptions();
  const visit = (node: ts.Node): ts.Node => {
    if (!ts.isMetaProperty(node) || node.name.text !== "meta") {
      return ts.visitEachChild(node, visit, context);
    }
    const [kind, args] = module === ts.ModuleKind.CommonJS
      ? ["commonjs", ["require", "module"].map(factory.createIdentifier)]
      : ["esmodule", [node]];
    const symbol = factory.createCallExpression(
      factory.createPropertyAccessExpression(
        factory.createIdentifier("Symbol"),
        "for",
      ),
      undefined,
      [factory.createStringLiteral(`import-meta-ponyfill-${kind}`)],
    );
    const ponyfill = factory.createElementAccessExpression(
      factory.createIdentifier("globalThis"),
      symbol,
    );
    return factory.createCallExpression(
      ponyfill,
      undefined,
      args as ts.Expression[],
    );
  };
  return (file) => ts.visitEachChild(file, visit, context);
}

/** The package.json of the package, its fields in dnt's order. */
function packageJson(
  options: BuildOptions,
  packages: Set<string>,
): Record<string, unknown> {
  const { name, version, description, keywords, license, ...rest } =
    options.package;
  const { devDependencies, ...others } = rest;
  const paths = options.entryPoints.map(({ name, path }) => ({
    name,
    path: join(path).replace(/\.ts$/, ".js"),
  }));
  const imports: Record<string, string> = config.imports;
  const dependencies = Array.from(packages, (name) => [
    name,
    imports[name].replace(`npm:${name}@`, ""),
  ]);
  return {
    name,
    version,
    description,
    keywords,
    license,
    main: `./script/${paths[0].path}`,
    module: `./esm/${paths[0].path}`,
    exports: Object.fromEntries(
      paths.map(({ name, path }) => [
        name,
        { import: `./esm/${path}`, require: `./script/${path}` },
      ]),
    ),
    scripts: {},
    ...others,
    dependencies: Object.fromEntries(dependencies),
    devDependencies,
    _generatedBy: "dnt@dev",
  };
}

async function install(folder: string): Promise<void> {
  const args = ["install", "--no-audit", "--no-fund", "--loglevel=error"];
  const { code } = await new Deno.Command("npm", {
    args,
    cwd: folder,
    stdout: "null",
  }).output();
  if (code !== 0) throw new Error(`npm ${args[0]} exited with ${code}`);
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

function write(path: string, text: string): void {
  Deno.mkdirSync(dirname(path), { recursive: true });
  Deno.writeTextFileSync(path, text);
}
