/**
 * The machine code that is one function: that it is what its sources say, and
 * that it does what it should, from a C program for each processor whose
 * compiler (and emulator) is there.
 */
import { assertEquals } from "@std/assert";
import { callers } from "../native/caller/code.ts";
import { senders } from "../native/sender/code.ts";
import { assemble, render } from "../scripts/assemble_functions.ts";
import { toolPrefix } from "../scripts/assemble_recorder.ts";
import { architectures, testHarness, testWith } from "./machine_code.ts";

for (
  const [name, codes] of [["caller", callers], ["sender", senders]] as const
) {
  for (const arch of architectures) {
    const prefix = await toolPrefix(arch);
    testWith(
      `${name} for ${arch} is what its source gives`,
      { [`assembler for ${arch}`]: prefix },
      async () =>
        assertEquals(await assemble(name, arch, prefix!), codes[arch]),
    );
    await testHarness(
      `${name} for ${arch} stands up to the C harness`,
      arch,
      `${name}_harness.c`,
      codes[arch],
    );
  }

  Deno.test(`the embedded ${name}s are as the script writes them`, async () => {
    const file = new URL(`../native/${name}/code.ts`, import.meta.url);
    assertEquals(await Deno.readTextFile(file), render(name, codes));
  });
}
