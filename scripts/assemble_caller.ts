/**
 * Assembles native/caller/caller_*.s and writes native/caller/code.ts.
 *
 *     deno run --allow-read --allow-write --allow-run \
 *       scripts/assemble_caller.ts
 *
 * It needs what scripts/assemble_recorder.ts needs.
 */
import { callers } from "../native/caller/code.ts";
import { assembleFile, renderBytes, toolPrefix } from "./assemble_recorder.ts";

type Arch = keyof typeof callers;

const folder = new URL("../native/caller/", import.meta.url);

/** Assembles the caller for a processor with the tools of that prefix. */
export async function assemble(
  arch: Arch,
  prefix: string,
): Promise<Uint8Array> {
  const source = new URL(`caller_${arch}.s`, folder);
  return (await assembleFile(source, prefix)).bytes;
}

/** The text of code.ts for these bytes. */
export function render(codes: Record<Arch, Uint8Array>): string {
  const entries = (["x86_64", "aarch64"] as const).map((arch) =>
    `  ${arch}: fromHex(\`\n${renderBytes(codes[arch])}\n    \`),\n`
  );
  return `\
// Written by scripts/assemble_caller.ts from the assembler sources beside it.
import { fromHex } from "../recorder/code.ts";

/**
 * Machine code of a thread that makes C calls, for each processor that has
 * one, by \`machine.arch\`. The sources say what it does and how its memory is
 * laid out. It runs at any address that is a multiple of 8, from the beginning.
 */
export const callers: Record<"x86_64" | "aarch64", Uint8Array> = {
${entries.join("")}};
`;
}

if (import.meta.main) {
  const codes = { ...callers };
  for (const arch of ["x86_64", "aarch64"] as const) {
    const prefix = await toolPrefix(arch);
    if (prefix !== undefined) codes[arch] = await assemble(arch, prefix);
    else console.warn(`No assembler for ${arch}: its bytes stay as they are.`);
  }
  await Deno.writeTextFile(new URL("code.ts", folder), render(codes));
}
