/**
 * Does what `deno run FILE` and `deno eval CODE` would:
 *
 *     run.js run FILE [ARGUMENT…]
 *     run.js eval CODE
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { compile, locate } from "./compile.ts";
import { Deno } from "./deno.ts";

const [mode, what, ...args] = process.argv.slice(2);
Deno.args.push(...args);
const module = mode === "run" ? locate(pathToFileURL(what)) : undefined;
if (module && existsSync(module)) {
  await import(module.href);
} else {
  const program = mode === "run" ? readFileSync(what, "utf8") : what;
  const file = `${tmpdir()}/${crypto.randomUUID()}.mjs`;
  writeFileSync(file, compile(program));
  const remove = () => rmSync(file, { force: true });
  process.once("exit", remove);
  await import(pathToFileURL(file).href).finally(remove);
}
