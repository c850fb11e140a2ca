/**
 * The recorder's machine code: that it is what its sources say, and that it
 * does what it should, here for this processor through the foreign-function
 * interface, and from recorder_harness.c for each processor whose compiler
 * (and emulator) is there.
 */
import { assertEquals } from "@std/assert";
import { recorders } from "../native/recorder/code.ts";
import { assemble, render, toolPrefix } from "../scripts/assemble_recorder.ts";
import { architectures, testHarness, testWith } from "./machine_code.ts";

const headerLength = 24;
const capacity = 8_192;

const libc = Deno.dlopen("libc.so.6", {
  mmap: {
    parameters: ["usize", "usize", "i32", "i32", "i32", "i64"],
    result: "pointer",
  },
  mprotect: { parameters: ["pointer", "usize", "i32"], result: "i32" },
  munmap: { parameters: ["pointer", "usize"], result: "i32" },
  free: { parameters: ["pointer"], result: "void" },
  // Not called from here: its address is wanted.
  malloc: { type: "pointer" },
});

const ringId = { struct: ["u32", "u64"] } as const;
const signatures = {
  deliver: {
    parameters: ["u64", "pointer", "u32", "u32", "buffer", "usize"],
    result: "void",
  },
  confchg: {
    parameters: [
      ...["u64", "pointer"] as const,
      ...["buffer", "usize", "buffer", "usize", "buffer", "usize"] as const,
    ],
    result: "void",
  },
  totemConfchg: {
    parameters: ["u64", ringId, "u32", "buffer"],
    result: "void",
  },
} as const satisfies Record<string, Deno.ForeignFunction>;

/** An event as the recorder wrote it down. */
interface Written {
  readonly header: { kind: number; a: number; b: number; c: number; d: bigint };
  readonly payload: Uint8Array<ArrayBuffer>;
  /** Whether it lies in memory of its own and not in the arena. */
  readonly allocated: boolean;
}

/** The code for this processor, ready to be called. */
class Recorder {
  readonly #size = 4_096n;
  readonly #page: Deno.PointerObject;
  readonly #state = new BigUint64Array(11);
  // The bytes behind the capacity are there to be seen untouched.
  readonly #arena = new Uint8Array(capacity + 64).fill(0xa5);
  readonly deliver: Deno.UnsafeFnPointer<typeof signatures.deliver>;
  readonly confchg: Deno.UnsafeFnPointer<typeof signatures.confchg>;
  readonly totemConfchg: Deno.UnsafeFnPointer<typeof signatures.totemConfchg>;

  constructor() {
    const code = recorders[Deno.build.arch];
    const [readWrite, readExecute, privateAnonymous] = [1 | 2, 1 | 4, 2 | 32];
    const { mmap, mprotect } = libc.symbols;
    this.#page = mmap(0n, this.#size, readWrite, privateAnonymous, -1, 0n)!;
    const page = Deno.UnsafePointerView.getArrayBuffer(
      this.#page,
      code.bytes.length,
    );
    new Uint8Array(page).set(code.bytes);
    new DataView(page).setBigUint64(code.slot, address(this.#state), true);
    assertEquals(mprotect(this.#page, this.#size, readExecute), 0);
    this.#state[0] = Deno.UnsafePointer.value(libc.symbols.malloc);
    this.#state[2] = address(this.#arena);
    this.#state[3] = BigInt(capacity);
    const at = (offset: number) =>
      Deno.UnsafePointer.offset<never>(this.#page, offset)!;
    const { deliver, confchg, totemConfchg } = signatures;
    this.deliver = new Deno.UnsafeFnPointer(at(code.deliver), deliver);
    this.confchg = new Deno.UnsafeFnPointer(at(code.confchg), confchg);
    this.totemConfchg = new Deno.UnsafeFnPointer(
      at(code.totemConfchg),
      totemConfchg,
    );
  }

  get failed(): bigint {
    return this.#state[5];
  }

  /** The event written down, if there is one, and so much of its payload. */
  take(payloadLength: number): Written | null {
    const block = this.#state[4];
    this.#state[4] = 0n;
    if (this.#state[6] === 0n) return null;
    this.#state[6] = 0n;
    const event = block || address(this.#arena);
    this.#state[2] = address(this.#arena);
    this.#state[3] = BigInt(capacity);
    const beyond = this.#arena.subarray(capacity);
    assertEquals(beyond, new Uint8Array(beyond.length).fill(0xa5));
    const pointer = Deno.UnsafePointer.create(event)!;
    const record = Deno.UnsafePointerView.getArrayBuffer(
      pointer,
      headerLength + payloadLength,
    ).slice();
    const allocated = event === block;
    if (allocated) libc.symbols.free(pointer);
    const view = new DataView(record);
    return {
      header: {
        kind: view.getUint32(0, true),
        a: view.getUint32(4, true),
        b: view.getUint32(8, true),
        c: view.getUint32(12, true),
        d: view.getBigUint64(16, true),
      },
      payload: new Uint8Array(record, headerLength),
      allocated,
    };
  }

  [Symbol.dispose](): void {
    libc.symbols.munmap(this.#page, this.#size);
  }
}

function address(array: BigUint64Array<ArrayBuffer> | Uint8Array<ArrayBuffer>) {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(array));
}

/** Bytes that differ from their neighbours. */
function pattern(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => (i * 167 + (i >> 8)) & 0xff);
}

const messageLengths = [
  ...[0, 1, 7, 8, 63, 64, 65, 4_096],
  ...[capacity - headerLength, capacity - headerLength + 1, 5_000_003],
];
for (const length of messageLengths) {
  Deno.test(`recorder writes down a message of ${length} bytes`, () => {
    using recorder = new Recorder();
    const bytes = pattern(length);
    const [node, pid] = [0xfedc_ba98, 0x8765_4321];
    recorder.deliver.call(9n, null, node, pid, bytes, BigInt(length));
    assertEquals(recorder.failed, 0n);
    assertEquals(recorder.take(length), {
      header: { kind: 1, a: node, b: pid, c: 0, d: BigInt(length) },
      payload: bytes,
      allocated: headerLength + length > capacity,
    });
  });
}

for (const counts of [[0, 0, 0], [3, 1, 2], [128, 128, 128], [0, 128, 0]]) {
  Deno.test(`recorder writes down ${counts.join(", ")} members`, () => {
    using recorder = new Recorder();
    const [members, left, joined] = counts;
    const all = pattern(12 * (members + left + joined));
    recorder.confchg.call(
      9n,
      null,
      all.subarray(0, 12 * members),
      BigInt(members),
      all.subarray(12 * members, 12 * (members + left)),
      BigInt(left),
      all.subarray(12 * (members + left)),
      BigInt(joined),
    );
    assertEquals(recorder.failed, 0n);
    assertEquals(recorder.take(all.length), {
      header: { kind: 2, a: members, b: left, c: joined, d: 0n },
      payload: all,
      allocated: false,
    });
  });
}

for (const count of [0, 1, 3, 128]) {
  Deno.test(`recorder writes down a ring of ${count} nodes`, () => {
    using recorder = new Recorder();
    const [node, sequence] = [0xfedc_ba98, 0x0123_4567_89ab_cdefn];
    // struct cpg_ring_id by value: this also shows in which registers it is.
    const id = new Uint8Array(16);
    new DataView(id.buffer).setUint32(0, node, true);
    new DataView(id.buffer).setBigUint64(8, sequence, true);
    const nodes = pattern(4 * count);
    recorder.totemConfchg.call(9n, id, count, nodes);
    assertEquals(recorder.failed, 0n);
    assertEquals(recorder.take(nodes.length), {
      header: { kind: 3, a: node, b: count, c: 0, d: sequence },
      payload: nodes,
      allocated: false,
    });
  });
}

Deno.test("recorder says how much malloc refused, and goes on", () => {
  using recorder = new Recorder();
  const bytes = pattern(10);
  const absurd = 1n << 62n;
  recorder.deliver.call(9n, null, 1, 2, bytes, absurd);
  assertEquals(recorder.failed, absurd + BigInt(headerLength));
  assertEquals(recorder.take(0), null);
  recorder.deliver.call(9n, null, 1, 2, bytes, 10n);
  assertEquals(recorder.take(10)?.payload, bytes);
});

Deno.test("recorder keeps a block that has not been taken", () => {
  using recorder = new Recorder();
  const large = pattern(capacity);
  recorder.deliver.call(9n, null, 1, 2, large, BigInt(capacity));
  recorder.deliver.call(9n, null, 3, 4, large, BigInt(capacity));
  assertEquals(recorder.failed, 2n ** 64n - 1n);
  const first = recorder.take(capacity);
  assertEquals(first?.header, {
    kind: 1,
    a: 1,
    b: 2,
    c: 0,
    d: BigInt(capacity),
  });
  assertEquals(first?.payload, large);
});

for (const arch of architectures) {
  const prefix = await toolPrefix(arch);
  testWith(
    `recorder for ${arch} is what its source gives`,
    { [`assembler for ${arch}`]: prefix },
    async () => assertEquals(await assemble(arch, prefix!), recorders[arch]),
  );

  const { bytes, slot, deliver, confchg, totemConfchg, drain } =
    recorders[arch];
  await testHarness(
    `recorder for ${arch} stands up to the C harness`,
    arch,
    "recorder_harness.c",
    bytes,
    [slot, deliver, confchg, totemConfchg, drain].map(String),
  );
}

Deno.test("the embedded recorders are as the script writes them", async () => {
  const file = new URL("../native/recorder/code.ts", import.meta.url);
  assertEquals(await Deno.readTextFile(file), render(recorders));
});
