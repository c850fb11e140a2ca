// Written by scripts/assemble_functions.ts from the assembler sources beside it.
import { fromHex } from "../recorder/code.ts";

/**
 * Machine code of a thread that makes C calls, for each processor that has
 * one, by `machine.arch`. The sources say what it does and how its memory is
 * laid out. It runs at any address that is a multiple of 8, from the beginning.
 */
export const callers: Record<"x86_64" | "aarch64", Uint8Array> = {
  x86_64: fromHex(`
      f30f1efa 534889fb 488d7b70 ff536085 c075f548 833b0074 34488b7b 08488b73
      10488b53 18488b4b 204c8b43 284c8b4b 3031c0ff 13488943 38488b7b 48488b73
      50488b53 58ff5340 4885c079 bb4889df ff536831 c05bc3
    `),
  aarch64: fromHex(`
      5f2403d5 fd7bbea9 fd030091 f30b00f9 f30300aa 60c20191 693240f9 20013fd6
      a0ffff35 690240f9 690100b4 608640a9 628e41a9 649642a9 20013fd6 601e00f9
      608644a9 622e40f9 692240f9 20013fd6 20feffb6 e00313aa 693640f9 20013fd6
      000080d2 f30b40f9 fd7bc2a8 c0035fd6
    `),
};
