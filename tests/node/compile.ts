/** Programs that tests give as text, compiled where they are run. */
import { existsSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import ts from "typescript";

/** The folder of the compiled tests, examples and modules. */
const root = new URL("../../", import.meta.url);

/**
 * Where a module of this project is, that a test refers to by its place among
 * the sources: compiled for the tests, or in the package.
 */
export function locate(module: URL): URL {
  const file = new URL(module.href.replace(/\.ts$/, ".js"));
  if (existsSync(fileURLToPath(file))) return file;
  if (!file.href.startsWith(root.href)) return file;
  const within = file.href.slice(root.href.length);
  return pathToFileURL(`${process.env.PACKAGE_FOLDER}/${within}`);
}

/** A program in JavaScript that imports from where the modules are. */
export function compile(program: string): string {
  const { outputText } = ts.transpileModule(program, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
    },
  });
  return outputText.replaceAll(
    /(["'])(file:\/\/[^"']+\.ts)\1/g,
    (_, quote, url) => quote + locate(new URL(url)).href + quote,
  );
}
