// Written by scripts/assemble_functions.ts from the assembler sources beside it.
import { fromHex } from "../recorder/code.ts";

/**
 * Machine code that sends several messages, for each processor that has some,
 * by `machine.arch`. The sources say what it does and how its memory is laid
 * out. It runs at any address that is a multiple of 8, from the beginning.
 */
export const senders: Record<"x86_64" | "aarch64", Uint8Array> = {
  x86_64: fromHex(`
      f30f1efa 53555048 89fd4889 f34889ef be020000 00488b53 08b90100 0000ff13
      89c04889 431883f8 01750b48 83430810 48ff4b10 75d731c0 5a5d5bc3
    `),
  aarch64: fromHex(`
      5f2403d5 fd7bbea9 fd030091 f35301a9 f40300aa f30301aa e00314aa 41008052
      620640f9 23008052 690240f9 20013fd6 e003002a 600e00f9 1f040071 c1000054
      6aa640a9 4a410091 290500f1 6aa600a9 41feff54 00008052 f35341a9 fd7bc2a8
      c0035fd6
    `),
};
