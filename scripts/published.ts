/**
 * What `deno publish` would publish.
 *
 * @module
 */
import { stripVTControlCharacters } from "node:util";
import { fileURLToPath } from "node:url";
import config from "../deno.json" with { type: "json" };

const root = new URL("../", import.meta.url);

/** Published for people and registries rather than for programs. */
const DOCUMENTS = ["LICENSE", "README.md", "deno.json"];

/** The files that would be published though no entry point needs them. */
export async function superfluous(): Promise<string[]> {
  const needed = new Set(DOCUMENTS.map((name) => new URL(name, root).href));
  for (const entryPoint of Object.values(config.exports)) {
    const info = await output("info", "--json", entryPoint);
    for (const { specifier } of JSON.parse(info).modules) needed.add(specifier);
  }
  const listing = await output("publish", "--dry-run", "--allow-dirty");
  const listed = [...listing.matchAll(/^ +(file:\S+) \(/gm)];
  if (listed.length === 0) throw new Error(`No files in: ${listing}`);
  return listed.map(([, file]) => file).filter((file) => !needed.has(file));
}

/** What a subcommand of Deno prints. */
async function output(...args: string[]): Promise<string> {
  const command = new Deno.Command(Deno.execPath(), {
    args,
    cwd: fileURLToPath(root),
  });
  const { success, stdout, stderr } = await command.output();
  const [text, complaint] = [stdout, stderr].map((bytes) =>
    stripVTControlCharacters(new TextDecoder().decode(bytes))
  );
  if (!success) throw new Error(`deno ${args.join(" ")}: ${complaint}`);
  // The list of files goes to standard error.
  return args[0] === "publish" ? complaint : text;
}
