/** What the tests of machine code share. */
import { assertNotEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { firstPresent, run } from "../scripts/assemble_recorder.ts";

export const architectures = ["x86_64", "aarch64"] as const;
export type Arch = typeof architectures[number];

/** A test that needs tools: where they are missing its name says which. */
export function testWith(
  name: string,
  tools: Record<string, string | undefined>,
  fn: () => Promise<void>,
): void {
  const missing = Object.keys(tools).filter((key) => tools[key] === undefined);
  const reason = missing.length ? ` (there is no ${missing.join(", ")})` : "";
  Deno.test({ name: name + reason, ignore: missing.length > 0, fn });
}

/**
 * A test that builds a C program of this folder for a processor, and runs it
 * with the file of some machine code and further arguments.
 */
export async function testHarness(
  name: string,
  arch: Arch,
  source: string,
  code: Uint8Array,
  args: string[] = [],
): Promise<void> {
  const native = Deno.build.arch === arch;
  const compiler = await firstPresent(
    native ? ["cc", "gcc", "clang"] : [`${arch}-linux-gnu-gcc`],
  );
  const emulator = native
    ? ""
    : await firstPresent([`qemu-${arch}`, `qemu-${arch}-static`]);
  testWith(
    name,
    { [`compiler for ${arch}`]: compiler, [`qemu-${arch}`]: emulator },
    async () => {
      const directory = await Deno.makeTempDir();
      try {
        const harness = `${directory}/harness`;
        const link = native ? [] : ["-static"];
        const from = fileURLToPath(new URL(source, import.meta.url));
        await run(compiler!, "-Wall", "-O2", ...link, "-o", harness, from);
        const file = `${directory}/code`;
        await Deno.writeFile(file, code);
        const command = [...emulator ? [emulator] : [], harness, file, ...args];
        assertNotEquals(await run(command[0], ...command.slice(1)), "");
      } finally {
        await Deno.remove(directory, { recursive: true });
      }
    },
  );
}
