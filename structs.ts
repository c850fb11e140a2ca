/**
 * The structs that libcpg exchanges with a program, as it lays them out on a
 * 64-bit little-endian machine: sizes and offsets in bytes.
 *
 * @module
 */

/** `CPG_MAX_NAME_LENGTH`: the longest group name, in bytes. */
export const CPG_MAX_NAME_LENGTH = 128;

/**
 * `CPG_MEMBERS_MAX`: the longest member list, in entries, as the header says.
 * corosync does not see to it. In a larger group libcpg writes the lists of a
 * configuration change one over the other.
 */
export const CPG_MEMBERS_MAX = 128;

/**
 * The longest list that `cpg_membership_get` writes, in entries; `corodefs.h`
 * calls it `PROCESSOR_COUNT_MAX`.
 */
export const CPG_MEMBERSHIP_MAX = 384;

/** Size of `struct cpg_name`: a u32 length, then 128 bytes. */
export const SIZEOF_CPG_NAME = 132;

/** Size of `struct cpg_address`: u32 node id, process id and reason. */
export const SIZEOF_CPG_ADDRESS = 12;

/** Size of `struct cpg_ring_id`: u32 node id, padding, u64 sequence number. */
export const SIZEOF_CPG_RING_ID = 16;

/** Size of `struct cpg_iteration_description_t`: a name, u32 node id and process id. */
export const SIZEOF_CPG_ITERATION_DESCRIPTION = 140;

/** Size of `cpg_callbacks_t`: two callbacks. */
export const SIZEOF_CPG_CALLBACKS = 16;

/** Size of `cpg_model_v1_data_t`: model, three callbacks, flags. */
export const SIZEOF_CPG_MODEL_V1_DATA = 40;

/** Size of `struct iovec`: an address and a length. */
export const SIZEOF_IOVEC = 16;

/** A process in a group. */
export interface CpgAddress {
  /** Id of the node in the cluster. */
  readonly nodeId: number;
  /** Process id on that node. */
  readonly pid: number;
  /** A `CpgReason`: why it is listed. */
  readonly reason: number;
}

/** The identity of a ring: one configuration of the cluster's nodes. */
export interface CpgRingId {
  /** Id of the node that represents the ring. */
  readonly nodeId: number;
  /** Grows with each new ring. */
  readonly seq: bigint;
}

/** What `cpg_initialize` is told. */
export interface CpgCallbacks {
  /** Address of a `cpg_deliver_fn_t`, or 0n. */
  readonly deliver: bigint;
  /** Address of a `cpg_confchg_fn_t`, or 0n. */
  readonly confchg: bigint;
}

/** What `cpg_model_initialize` is told. */
export interface CpgModelV1Data extends CpgCallbacks {
  /** Address of a `cpg_totem_confchg_fn_t`, or 0n. */
  readonly totemConfchg: bigint;
  /** `CpgModelFlag`s. */
  readonly flags: number;
}

/**
 * Writes a `struct cpg_name`.
 *
 * @throws {RangeError} If the name has more than 128 bytes.
 */
export function writeCpgName(
  view: DataView,
  offset: number,
  name: Uint8Array,
): void {
  const value = new Uint8Array(
    view.buffer,
    view.byteOffset + offset + 4,
    CPG_MAX_NAME_LENGTH,
  );
  value.fill(0);
  value.set(name);
  view.setUint32(offset, name.length, true);
}

/** Reads a `struct cpg_name`, as a copy. */
export function readCpgName(
  view: DataView,
  offset: number,
): Uint8Array<ArrayBuffer> {
  const length = view.getUint32(offset, true);
  const start = view.byteOffset + offset + 4;
  return new Uint8Array(view.buffer as ArrayBuffer, start, length).slice();
}

/** Reads an array of `struct cpg_address`. */
export function readCpgAddresses(
  view: DataView,
  offset: number,
  count: number,
): CpgAddress[] {
  return Array.from({ length: count }, (_, i) => {
    const at = offset + i * SIZEOF_CPG_ADDRESS;
    return {
      nodeId: view.getUint32(at, true),
      pid: view.getUint32(at + 4, true),
      reason: view.getUint32(at + 8, true),
    };
  });
}

/** Writes a `cpg_callbacks_t`. */
export function writeCpgCallbacks(
  view: DataView,
  offset: number,
  callbacks: CpgCallbacks,
): void {
  view.setBigUint64(offset, callbacks.deliver, true);
  view.setBigUint64(offset + 8, callbacks.confchg, true);
}

/** Writes a `cpg_model_v1_data_t`. */
export function writeCpgModelV1Data(
  view: DataView,
  offset: number,
  data: CpgModelV1Data,
): void {
  view.setUint32(offset, 1, true);
  view.setUint32(offset + 4, 0, true);
  writeCpgCallbacks(view, offset + 8, data);
  view.setBigUint64(offset + 24, data.totemConfchg, true);
  view.setUint32(offset + 32, data.flags, true);
  view.setUint32(offset + 36, 0, true);
}

/** Reads a `struct cpg_iteration_description_t`. */
export function readCpgIterationDescription(
  view: DataView,
  offset: number,
): { group: Uint8Array<ArrayBuffer>; nodeId: number; pid: number } {
  return {
    group: readCpgName(view, offset),
    nodeId: view.getUint32(offset + SIZEOF_CPG_NAME, true),
    pid: view.getUint32(offset + SIZEOF_CPG_NAME + 4, true),
  };
}

/**
 * Writes a `struct iovec`: a part of a message, its length in bytes. An address
 * below 2^53 may be a number.
 */
export function writeIovec(
  view: DataView,
  offset: number,
  address: bigint | number,
  length: number,
): void {
  // By halves, for which no object is made.
  if (typeof address === "bigint") view.setBigUint64(offset, address, true);
  else {
    view.setUint32(offset, address, true);
    view.setUint32(offset + 4, address / 2 ** 32, true);
  }
  view.setUint32(offset + 8, length, true);
  view.setUint32(offset + 12, length / 2 ** 32, true);
}
