/**
 * The same peer on Node, with the npm package as it is built.
 *
 * @module
 */
import { pathToFileURL } from "node:url";
import type { Results } from "./results.ts";

/** What the peer uses of Deno. */
const DENO = `
import process from "node:process";
import { Readable } from "node:stream";
globalThis.Deno = {
  args: process.argv.slice(2),
  stdin: { readable: Readable.toWeb(process.stdin) },
  memoryUsage: process.memoryUsage,
};
`;

/** The peer's command on Node, to be followed by the group. */
export interface NodePeer extends Disposable {
  readonly command: string[];
}

/** Compiles the peer for Node; gives the reason where that cannot be. */
export async function nodePeer(): Promise<NodePeer | string> {
  const root = new URL("../", import.meta.url);
  const module = new URL("npm/esm/mod.js", root);
  try {
    await Deno.stat(module);
    await new Deno.Command("node", { args: ["--version"] }).output();
    const { default: ts } = await import("typescript");
    const folder = await Deno.makeTempDir();
    for (const name of ["peer", "lines"]) {
      const text = await Deno.readTextFile(`${import.meta.dirname}/${name}.ts`);
      const { outputText } = ts.transpileModule(text, {
        compilerOptions: {
          target: ts.ScriptTarget.ES2022,
          module: ts.ModuleKind.ESNext,
        },
      });
      const located = outputText.replace("../mod.ts", module.href)
        .replace("./lines.ts", "./lines.mjs");
      await Deno.writeTextFile(`${folder}/${name}.mjs`, located);
    }
    const preload = `${folder}/deno.mjs`;
    await Deno.writeTextFile(preload, DENO);
    const flags = ["--import", pathToFileURL(preload).href];
    return {
      command: ["node", ...flags, `${folder}/peer.mjs`],
      [Symbol.dispose]: () => Deno.removeSync(folder, { recursive: true }),
    };
  } catch (error) {
    return (error as Error).message;
  }
}

/** The results of Node in the place of ours; nothing if there are none. */
export function onNode(results: Results): Results | undefined {
  const memory = results.memory.node;
  if (!memory) return undefined;
  return {
    ...results,
    runs: results.runs.filter(({ program }) => program !== "ours")
      .map((run) => run.program === "node" ? { ...run, program: "ours" } : run),
    memory: { c: results.memory.c, ours: memory },
  };
}
