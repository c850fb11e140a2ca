// Written by scripts/assemble_recorder.ts from the assembler sources beside it.

/**
 * Machine code that writes down the events of `cpg_dispatch`. The sources
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
  /** Offset of the function that takes events. */
  readonly drain: number;
}

/** The recorder for each processor that has one, by `Deno.build.arch`. */
export const recorders: Record<"x86_64" | "aarch64", RecorderCode> = {
  x86_64: {
    bytes: fromHex(`
      f30f1efa 498d4118 e8290100 004885c0 742ac700 01000000 89500489 4808c740
      0c000000 004c8948 104d294b 40488d78 184c89c6 4c89c9e8 6f010000 c3f30f1e
      fa4a8d04 09480344 2410488d 0440488d 04851800 0000e8db 00000048 85c07442
      c7000200 00008948 04448948 084c8b54 24104489 500c48c7 40100000 0000488d
      78184889 d6e81901 00004c89 c64c89c9 e80e0100 00488b74 24084c89 d1e80101
      0000c3f3 0f1efa89 c9488d04 8d180000 00e88000 00004885 c07427c7 00030000
      00897004 894808c7 400c0000 00004889 5010488d 78184c89 c648c1e1 02e8c900
      0000c3f3 0f1efa53 41544155 4889fb49 89f44d8b 6c243048 89dfbe04 00000041
      ff542408 89c04989 44244883 f801751e 4d3b6c24 30741749 837c2420 00750f49
      837c2440 007e0749 ff4c2438 7fc431c0 415d415c 5bc34c8b 1dd30000 00493b43
      187f1948 83c00f48 83e0f049 29431849 8b7b1049 01431048 89f8eb2d 49837b20
      00753550 51525641 50415148 89c741ff 13415941 585e5a59 5f4c8b1d 90000000
      49894320 4885c074 0a49ff43 3049836b 4040c349 897b28c3 49c74328 ffffffff
      31c0c348 8d0c4948 c1e10248 83e94072 2c0f1006 0f104e10 0f105620 0f105e30
      0f11070f 114f100f 1157200f 115f3048 83c64048 83c74048 83e94073 d44883c1
      307c140f 10060f11 074883c6 104883c7 104883e9 1073ec48 83c11074 0f8a1688
      1748ffc6 48ffc748 ffc975f1 c3cccccc 00000000 00000000
    `),
    slot: 528,
    deliver: 0,
    confchg: 61,
    totemConfchg: 163,
    drain: 227,
  },
  aarch64: {
    bytes: fromHex(`
      5f2403d5 fd7bbfa9 fd030091 a0600091 5c000094 800100b4 29008052 09080029
      037c0129 050800f9 092140f9 290105cb 092100f9 0a600091 eb0304aa ec0305aa
      7c000094 fd7bc1a8 c0035fd6 5f2403d5 fd7bbfa9 fd030091 6000058b 0000078b
      0004008b 00f47ed3 00600091 45000094 e00100b4 49008052 090c0029 051c0129
      1f0800f9 0a600091 eb0302aa ec0303aa 66000094 eb0304aa ec0305aa 63000094
      eb0306aa ec0307aa 60000094 fd7bc1a8 c0035fd6 5f2403d5 fd7bbfa9 fd030091
      e303032a 65f47ed3 a0600091 2d000094 200100b4 69008052 09040029 037c0129
      020800f9 0a600091 eb0304aa ec0305aa 50000094 fd7bc1a8 c0035fd6 5f2403d5
      fd7bbda9 fd030091 f35301a9 f51300f9 f30300aa f40301aa 951a40f9 e00313aa
      81008052 890640f9 20013fd6 e003002a 802600f9 1f040071 a1010054 891a40f9
      bf0209eb 40010054 891240f9 090100b5 892240f9 3f0100f1 ad000054 891e40f9
      290500f1 891e00f9 8cfdff54 00008052 f51340f9 f35341a9 fd7bc3a8 c0035fd6
      48080058 0a2541a9 1f0009eb 0c010054 003c0091 00ec7c92 290100cb 4b01008b
      0b2501a9 e0030aaa 13000014 091140f9 490300b5 fd7bbba9 fd030091 e00701a9
      e20f02a9 e41703a9 e61f04a9 090140f9 20013fd6 e90741a9 e20f42a9 e41743a9
      e61f44a9 fd7bc5a8 08050058 001100f9 000100b4 091940f9 29050091 091900f9
      092140f9 290101d1 092100f9 c0035fd6 091500f9 c0035fd6 09008092 091500f9
      000080d2 c0035fd6 8c050c8b 8cf57ed3 8c0101f1 e3000054 6005c1ac 620dc1ac
      400581ac 420d81ac 8c0101f1 62ffff54 8cc100b1 ab000054 6005c13c 4005813c
      8c4100f1 a2ffff54 8c4100b1 a0000054 69154038 49150038 8c0500f1 a1ffff54
      c0035fd6 00000000 00000000 00000000
    `),
    slot: 648,
    deliver: 0,
    confchg: 76,
    totemConfchg: 180,
    drain: 252,
  },
};

/** The bytes that a text says in hexadecimal. */
export function fromHex(text: string): Uint8Array {
  const pairs = text.match(/[0-9a-f]{2}/g) ?? [];
  return Uint8Array.from(pairs, (pair) => parseInt(pair, 16));
}
