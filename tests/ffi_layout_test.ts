/** Constants and struct layouts, compared with what a C compiler makes. */
import { assertEquals, assertThrows } from "@std/assert";
import * as ffi from "../ffi.ts";
import { SIZEOF_POLLFD } from "../libc.ts";
import { program, testWithC } from "./c.ts";
import { run, text } from "./support.ts";

/** A name of C, and its value as text. */
type Values = Record<string, string>;

/** Constants of ours under the names that they have in C. */
function named(prefix: string, values: Record<string, number>): Values {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [prefix + name, `${value}`]),
  );
}

function written(size: number, write: (view: DataView) => void): string {
  // Nothing of what stands there before may show through.
  const bytes = new Uint8Array(size + 2).fill(0xee);
  write(new DataView(bytes.buffer, 1, size));
  assertEquals([bytes[0], bytes[size + 1]], [0xee, 0xee]);
  return bytes.subarray(1, size + 1).toHex();
}

function viewOf(hex: string): DataView<ArrayBuffer> {
  return new DataView(Uint8Array.fromHex(hex).buffer);
}

async function assertSame(args: string[]): Promise<void> {
  await using layout = await program("layout.c", args);
  const { stdout } = await run(layout.path, []);
  const c: Values = Object.fromEntries(
    stdout.trimEnd().split("\n").map((line) => line.split(" ")),
  );
  const { name, addresses, description, callbacks, data, part, ...values } = c;
  const sizes = Object.entries(ffi).filter(([key]) => key.startsWith("SIZEOF_"))
    .map(([key, value]) => [key, `${value}`]);
  assertEquals(values, {
    ...named("", ffi.CsError),
    ...named("CS_DISPATCH_", ffi.CsDispatch),
    ...named("CPG_TYPE_", ffi.CpgGuarantee),
    ...named("CPG_FLOW_CONTROL_", ffi.CpgFlowControl),
    ...named("CPG_REASON_", ffi.CpgReason),
    ...named("CPG_ITERATION_", ffi.CpgIteration),
    ...named("CPG_MODEL_", ffi.CpgModel),
    ...named("CPG_MODEL_V1_", ffi.CpgModelFlag),
    ...named("", {
      CPG_MAX_NAME_LENGTH: ffi.CPG_MAX_NAME_LENGTH,
      CPG_MEMBERS_MAX: ffi.CPG_MEMBERS_MAX,
      PROCESSOR_COUNT_MAX: ffi.CPG_MEMBERSHIP_MAX,
      SIZEOF_POLLFD,
    }),
    ...Object.fromEntries(sizes),
  });

  const high = 0xffff_ffff_ffff_fff1n;
  const group = text("group");
  assertEquals(ffi.readCpgName(viewOf(name), 0), group);
  assertEquals(
    written(name.length / 2, (view) => ffi.writeCpgName(view, 0, group)),
    name,
  );
  assertEquals(ffi.readCpgAddresses(viewOf(addresses), 0, 2), [
    { nodeId: 0xffff_fff1, pid: 2, reason: 3 },
    { nodeId: 4, pid: 5, reason: 6 },
  ]);
  assertEquals(
    ffi.readCpgIterationDescription(viewOf(description), 0),
    { group, nodeId: 0xffff_fff1, pid: 2 },
  );
  const two = { deliver: high, confchg: 2n };
  assertEquals(
    written(16, (view) => ffi.writeCpgCallbacks(view, 0, two)),
    callbacks,
  );
  const flags = ffi.CpgModelFlag.DELIVER_INITIAL_TOTEM_CONF;
  const all = { ...two, totemConfchg: 3n, flags };
  assertEquals(
    written(40, (view) => ffi.writeCpgModelV1Data(view, 0, all)),
    data,
  );
  assertEquals(written(16, (view) => ffi.writeIovec(view, 0, high, 2)), part);
}

testWithC("constants and structs are those of C", () => assertSame([]));

testWithC(
  "constants and structs are those of the installed header",
  async () => {
    const probe = await run("cc", [
      "-E",
      "-include",
      "corosync/cpg.h",
      "-include",
      "corosync/corodefs.h",
      "-x",
      "c",
      "/dev/null",
    ]);
    if (probe.code !== 0) {
      console.log("Skipped: the headers of libcpg are not installed");
      return;
    }
    await assertSame(["-DINSTALLED"]);
  },
);

Deno.test("a name that is too long is refused, and nothing is written", () => {
  const view = new DataView(new ArrayBuffer(ffi.SIZEOF_CPG_NAME));
  assertThrows(
    () => ffi.writeCpgName(view, 0, new Uint8Array(129).fill(1)),
    RangeError,
  );
  assertEquals(new Uint8Array(view.buffer), new Uint8Array(132));
});

Deno.test("the address of any view is that of its first byte", () => {
  const buffer = new ArrayBuffer(64);
  const start = ffi.addressOf(new Uint8Array(buffer));
  assertEquals(ffi.addressOf(new DataView(buffer, 3)), start + 3n);
  assertEquals(ffi.addressOf(new BigUint64Array(buffer, 8, 1)), start + 8n);
  assertEquals(ffi.addressOf(new Uint8Array()), 0n);
});
