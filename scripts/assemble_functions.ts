/**
 * Assembles the machine code that is one function: native/caller/ and
 * native/sender/, whose code.ts it writes.
 *
 *     deno run --allow-read --allow-write --allow-run \
 *       scripts/assemble_functions.ts
 *
 * It needs what scripts/assemble_recorder.ts needs.
 */
import { callers } from "../native/caller/code.ts";
import { senders } from "../native/sender/code.ts";
import { assembleFile, renderBytes, toolPrefix } from "./assemble_recorder.ts";

/** The bytes for each processor that has some. */
export type Codes = typeof callers;

const documentation = {
  caller: `\
 * Machine code of a thread that makes C calls, for each processor that has
 * one, by \`machine.arch\`. The sources say what it does and how its memory is
 * laid out. It runs at any address that is a multiple of 8, from the beginning.`,
  sender: `\
 * Machine code that sends several messages, for each processor that has some,
 * by \`machine.arch\`. The sources say what it does and how its memory is laid
 * out. It runs at any address that is a multiple of 8, from the beginning.`,
};

/** What is assembled. */
export type Name = keyof typeof documentation;

const folder = (name: Name) => new URL(`../native/${name}/`, import.meta.url);

/** Assembles the code for a processor with the tools of that prefix. */
export async function assemble(
  name: Name,
  arch: keyof Codes,
  prefix: string,
): Promise<Uint8Array> {
  const source = new URL(`${name}_${arch}.s`, folder(name));
  return (await assembleFile(source, prefix)).bytes;
}

/** The text of code.ts for these bytes. */
export function render(name: Name, codes: Codes): string {
  const entries = (["x86_64", "aarch64"] as const).map((arch) =>
    `  ${arch}: fromHex(\`\n${renderBytes(codes[arch])}\n    \`),\n`
  );
  return `\
// Written by scripts/assemble_functions.ts from the assembler sources beside it.
import { fromHex } from "../recorder/code.ts";

/**
${documentation[name]}
 */
export const ${name}s: Record<"x86_64" | "aarch64", Uint8Array> = {
${entries.join("")}};
`;
}

if (import.meta.main) {
  for (
    const [name, present] of Object.entries({
      caller: callers,
      sender: senders,
    })
  ) {
    const codes = { ...present };
    for (const arch of ["x86_64", "aarch64"] as const) {
      const prefix = await toolPrefix(arch);
      if (prefix !== undefined) {
        codes[arch] = await assemble(name as Name, arch, prefix);
      } else {
        console.warn(`No assembler for ${arch}: its bytes stay as they are.`);
      }
    }
    const file = new URL("code.ts", folder(name as Name));
    await Deno.writeTextFile(file, render(name as Name, codes));
  }
}
