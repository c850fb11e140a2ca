// Written by scripts/assemble_recorder.ts from the assembler sources beside it.

/**
 * Machine code that writes down the event of a `cpg_dispatch`. The sources
 * say what it does and how its memory is laid out.
 */
export interface RecorderCode {
  /** The code. Runs at any address that is a multiple of 8. */
  readonly bytes: Uint8Array;
  /** Offset of the 64-bit word that is to hold the state block's address. */
  readonly slot: number;
  /** Offset of the function for `cpg_deliver_fn`. */
  readonly deliver: number;
  /** Offset of the function for `cpg_confchg_fn`. */
  readonly confchg: number;
  /** Offset of the function for `cpg_totem_confchg_fn`. */
  readonly totemConfchg: number;
}

/** The recorder for each processor that has one, by `Deno.build.arch`. */
export const recorders: Record<"x86_64" | "aarch64", RecorderCode> = {
  x86_64: {
    bytes: fromHex(`
      f30f1efa 498d4118 e8de0000 004885c0 742ac700 01000000 89500489 4808c740
      0c000000 004c8948 10488d78 184c89c6 4c89c9e8 06010000 49894318 c3f30f1e
      fa4a8d04 09480344 2410488d 0440488d 04851800 0000e890 00000048 85c07446
      c7000200 00008948 04448948 084c8b54 24104489 500c48c7 40100000 0000488d
      78184889 d6e8ac00 00004c89 c64c89c9 e8a10000 00488b74 24084c89 d1e89400
      00004989 4318c3f3 0f1efa89 c9488d04 8d180000 00e83100 00004885 c0742bc7
      00030000 00897004 894808c7 400c0000 00004889 5010488d 78184c89 c648c1e1
      02e85800 00004989 4318c34c 8b1dae00 00004983 7b180075 32493b43 10770549
      8b4308c3 50515256 41504151 4889c741 ff134159 41585e5a 595f4c8b 1d7f0000
      004885c0 750f4989 7b20c349 c74320ff ffffff31 c0c3488d 0c4948c1 e1024883
      e940722c 0f10060f 104e100f 1056200f 105e300f 11070f11 4f100f11 57200f11
      5f304883 c6404883 c7404883 e94073d4 4883c130 7c140f10 060f1107 4883c610
      4883c710 4883e910 73ec4883 c110740f 8a168817 48ffc648 ffc748ff c975f1c3
      00000000 00000000
    `),
    slot: 416,
    deliver: 0,
    confchg: 61,
    totemConfchg: 167,
  },
  aarch64: {
    bytes: fromHex(`
      5f2403d5 fd7bbfa9 fd030091 a0600091 3b000094 400100b4 29008052 09080029
      037c0129 050800f9 0a600091 eb0304aa ec0305aa 51000094 000d00f9 fd7bc1a8
      c0035fd6 5f2403d5 fd7bbfa9 fd030091 6000058b 0000078b 0004008b 00f47ed3
      00600091 26000094 000200b4 49008052 090c0029 051c0129 1f0800f9 0a600091
      eb0302aa ec0303aa 3a000094 eb0304aa ec0305aa 37000094 eb0306aa ec0307aa
      34000094 000d00f9 fd7bc1a8 c0035fd6 5f2403d5 fd7bbfa9 fd030091 e303032a
      65f47ed3 a0600091 0d000094 400100b4 69008052 09040029 037c0129 020800f9
      0a600091 eb0304aa ec0305aa 23000094 000d00f9 fd7bc1a8 c0035fd6 a8060058
      090d40f9 e90200b5 090940f9 1f0009eb 68000054 000540f9 c0035fd6 fd7bbba9
      fd030091 e00701a9 e20f02a9 e41703a9 e61f04a9 090140f9 20013fd6 e90741a9
      e20f42a9 e41743a9 e61f44a9 fd7bc5a8 08040058 c00000b5 091100f9 c0035fd6
      09008092 091100f9 000080d2 c0035fd6 8c050c8b 8cf57ed3 8c0101f1 e3000054
      6005c1ac 620dc1ac 400581ac 420d81ac 8c0101f1 62ffff54 8cc100b1 ab000054
      6005c13c 4005813c 8c4100f1 a2ffff54 8c4100b1 a0000054 69154038 49150038
      8c0500f1 a1ffff54 c0035fd6 00000000 00000000 00000000
    `),
    slot: 464,
    deliver: 0,
    confchg: 68,
    totemConfchg: 176,
  },
};

/** The bytes that a text says in hexadecimal. */
export function fromHex(text: string): Uint8Array {
  const pairs = text.match(/[0-9a-f]{2}/g) ?? [];
  return Uint8Array.from(pairs, (pair) => parseInt(pair, 16));
}
