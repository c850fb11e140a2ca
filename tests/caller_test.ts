/**
 * The machine code of the threads that make C calls on Node: that it is what
 * its sources say, and that it does what it should, from caller_harness.c for
 * each processor whose compiler (and emulator) is there.
 */
import { assertEquals } from "@std/assert";
import { callers } from "../native/caller/code.ts";
import { assemble, render } from "../scripts/assemble_caller.ts";
import { toolPrefix } from "../scripts/assemble_recorder.ts";
import { architectures, testHarness, testWith } from "./machine_code.ts";

for (const arch of architectures) {
  const prefix = await toolPrefix(arch);
  testWith(
    `caller for ${arch} is what its source gives`,
    { [`assembler for ${arch}`]: prefix },
    async () => assertEquals(await assemble(arch, prefix!), callers[arch]),
  );
  await testHarness(
    `caller for ${arch} stands up to the C harness`,
    arch,
    "caller_harness.c",
    callers[arch],
  );
}

Deno.test("the embedded callers are as the script writes them", async () => {
  const file = new URL("../native/caller/code.ts", import.meta.url);
  assertEquals(await Deno.readTextFile(file), render(callers));
});
