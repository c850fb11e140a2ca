/** What the tests of the calls of libcpg share. */
import {
  addressOf,
  CPG_MEMBERSHIP_MAX,
  type CpgAddress,
  type CpgCalls,
  CpgIteration,
  CsError,
  csErrorName,
  openLibcpg,
  readCpgAddresses,
  readCpgIterationDescription,
  SIZEOF_CPG_ADDRESS,
  SIZEOF_CPG_ITERATION_DESCRIPTION,
  SIZEOF_CPG_NAME,
  SIZEOF_IOVEC,
  viewOf,
  writeCpgName,
  writeIovec,
} from "../../ffi.ts";
import { text } from "../support.ts";

export const { calls, async } = openLibcpg();

/** The three calls of zero copy, which this libcpg has. */
export const zeroCopy = {
  alloc: calls.cpg_zcb_alloc!,
  free: calls.cpg_zcb_free!,
  send: calls.cpg_zcb_mcast_joined!,
};

const pinned: ArrayBufferView[] = [];

/** The address of memory that stays for as long as the tests run. */
export function pin(array: ArrayBufferView): bigint {
  pinned.push(array);
  return addressOf(array);
}

/** The address of a `struct cpg_name`. */
export function nameAt(name: string | Uint8Array): bigint {
  const view = new DataView(new ArrayBuffer(SIZEOF_CPG_NAME));
  writeCpgName(view, 0, typeof name === "string" ? text(name) : name);
  return pin(view);
}

/** The address of a `struct cpg_name` that claims to have 129 bytes. */
export function longNameAt(): bigint {
  const name = new Uint32Array(SIZEOF_CPG_NAME / 4);
  name[0] = 129;
  return pin(name);
}

/** The address of an array of `struct iovec`. */
export function iovecAt(parts: readonly Uint8Array[]): bigint {
  const view = new DataView(new ArrayBuffer(parts.length * SIZEOF_IOVEC));
  parts.forEach((part, i) =>
    writeIovec(view, i * SIZEOF_IOVEC, pin(part), part.length)
  );
  return pin(view);
}

/** Asserts that a call said `CS_OK`. */
export function ok(result: number, what = "The result"): void {
  if (result !== CsError.CS_OK) {
    throw new Error(`${what} is ${csErrorName(result)}`);
  }
}

/** What one `int` or `unsigned int` that a function tells is. */
export function told(call: (address: bigint) => number): number {
  const value = new Int32Array(1);
  ok(call(addressOf(value)));
  return value[0];
}

/** The id of this node. */
export function nodeIdOf(handle: bigint): number {
  return told((nodeId) => calls.cpg_local_get(handle, nodeId));
}

/** The context of a connection. */
export function contextOf(handle: bigint): bigint {
  const context = new BigUint64Array(1);
  ok(calls.cpg_context_get(handle, addressOf(context)));
  return context[0];
}

/** Who belongs to a group. */
export function members(handle: bigint, group: string): CpgAddress[] {
  const list = new DataView(
    new ArrayBuffer(CPG_MEMBERSHIP_MAX * SIZEOF_CPG_ADDRESS),
  );
  const count = told((entries) =>
    calls.cpg_membership_get(handle, nameAt(group), pin(list), entries)
  );
  return readCpgAddresses(list, 0, count);
}

/** The handle of a new iteration. */
export function beginIteration(
  handle: bigint,
  type: number = CpgIteration.ALL,
  group = 0n,
): bigint {
  const iteration = new BigUint64Array(1);
  ok(calls.cpg_iteration_initialize(handle, type, group, pin(iteration)));
  return iteration[0];
}

/** Goes over groups or members to the end. */
export function iterate(handle: bigint, type: number, group: bigint) {
  const iteration = beginIteration(handle, type, group);
  const view = new DataView(new ArrayBuffer(SIZEOF_CPG_ITERATION_DESCRIPTION));
  const found: { group: string; nodeId: number; pid: number }[] = [];
  for (;;) {
    const result = calls.cpg_iteration_next(iteration, pin(view));
    if (result === CsError.CS_ERR_NO_SECTIONS) break;
    ok(result);
    const description = readCpgIterationDescription(view, 0);
    const name = new TextDecoder().decode(description.group);
    found.push({ ...description, group: name });
  }
  ok(calls.cpg_iteration_finalize(iteration));
  return found;
}

/** Allocates a zero-copy buffer. */
export function alloc(
  handle: bigint,
  size: number,
): { at: bigint; bytes: Uint8Array } {
  const buffer = new BigUint64Array(1);
  ok(zeroCopy.alloc(handle, BigInt(size), addressOf(buffer)));
  return { at: buffer[0], bytes: new Uint8Array(viewOf(buffer[0], size)) };
}

/** Tests of functions of libcpg, each under a title. */
export type CallTests = Partial<
  Record<keyof CpgCalls, Record<string, () => void | Promise<void>>>
>;
