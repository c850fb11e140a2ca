/**
 * Checks everything that needs no corosync: format, lint, types, the
 * documentation, and what would be published.
 *
 * @module
 */
import { globSync } from "node:fs";
import config from "../deno.json" with { type: "json" };
import { packageOptions } from "./packages.ts";
import { superfluous } from "./published.ts";
import { deno } from "./run.ts";

const packages = await packageOptions();
const documents = globSync("{README,docs/*}.md");

for (
  const args of [
    ["fmt", "--check"],
    ["lint"],
    ["check", "--doc", ...packages],
    ["check", "--doc-only", ...packages, ...documents],
    ["doc", "--lint", ...Object.values(config.exports)],
    ["run", "-A", "scripts/errors_doc.ts", "--check"],
    // The working tree may be dirty: this is for before a commit, too.
    ["publish", "--dry-run", "--allow-dirty"],
  ]
) {
  const shown = args.filter((arg) => !packages.includes(arg));
  console.log(`+ deno ${shown.join(" ")}`);
  const status = await deno(args);
  if (status !== 0) Deno.exit(status);
}

const files = await superfluous();
if (files.length > 0) {
  console.error(`Nothing needs these, yet they would be published: ${files}`);
  Deno.exit(1);
}
