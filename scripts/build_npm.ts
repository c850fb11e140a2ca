/**
 * Builds the npm package in `npm/`: with dnt from JSR, or, where JSR does not
 * answer, with the TypeScript compiler from npm, to the same layout.
 *
 * @module
 */
import config from "../deno.json" with { type: "json" };
import { options, outDir } from "./npm_options.ts";
import { compile } from "./npm_compiler.ts";
import { whyNotJsr } from "./packages.ts";

Deno.chdir(new URL("..", import.meta.url));
try {
  Deno.removeSync(outDir, { recursive: true });
} catch (error) {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

const registry = Deno.env.get("JSR_URL") ?? "https://jsr.io/";
const reason = await whyNotJsr(registry, 3_000);
if (reason === undefined) {
  // Not known before it runs, since it cannot be had everywhere.
  const dnt = await import(config.imports["@deno/dnt"]);
  await dnt.build(options);
} else {
  console.error(
    `JSR does not answer (${reason}): building with the TypeScript compiler from npm instead of dnt.`,
  );
  await compile(options);
}
