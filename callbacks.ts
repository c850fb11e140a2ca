/**
 * What libcpg calls back, in JavaScript: a function for each callback type of
 * `corosync/cpg.h`.
 *
 * @module
 */
import type { CpgRingId } from "./structs.ts";
import { callback } from "./native/deno.ts";
import type { NativeCallback } from "./native/port.ts";

/**
 * `cpg_deliver_fn_t`: a message. Addresses are valid until it returns.
 *
 * @param group Address of the group's `struct cpg_name`.
 * @param nodeId Node of the sender.
 * @param pid Process id of the sender there.
 * @param message Address of the message.
 * @param length Length of the message, in bytes.
 */
export type CpgDeliver = (
  handle: bigint,
  group: bigint,
  nodeId: number,
  pid: number,
  message: bigint,
  length: bigint,
) => void;

/**
 * `cpg_confchg_fn_t`: a configuration change. Addresses are valid until it
 * returns; lists are of `struct cpg_address` ({@linkcode readCpgAddresses}).
 * One of more than {@linkcode CPG_MEMBERS_MAX} runs into the next list.
 *
 * @param group Address of the group's `struct cpg_name`.
 * @param members Address of the list of members.
 * @param memberCount How many members.
 * @param left Address of the list of those that have left.
 * @param leftCount How many have left.
 * @param joined Address of the list of those that have joined.
 * @param joinedCount How many have joined.
 */
export type CpgConfchg = (
  handle: bigint,
  group: bigint,
  members: bigint,
  memberCount: bigint,
  left: bigint,
  leftCount: bigint,
  joined: bigint,
  joinedCount: bigint,
) => void;

/**
 * `cpg_totem_confchg_fn_t`: a new ring. The address is valid until it returns.
 *
 * @param ringId Which ring it is.
 * @param count How many nodes it has.
 * @param nodes Address of their ids, a u32 each.
 */
export type CpgTotemConfchg = (
  handle: bigint,
  ringId: CpgRingId,
  count: number,
  nodes: bigint,
) => void;

/** Makes a `cpg_deliver_fn_t`. */
export function deliverCallback(call: CpgDeliver): NativeCallback {
  return callback({
    parameters: ["u64", "pointer", "u32", "u32", "pointer", "usize"],
    result: "void",
  }, call);
}

/** Makes a `cpg_confchg_fn_t`. */
export function confchgCallback(call: CpgConfchg): NativeCallback {
  const list = ["pointer", "usize"] as const;
  return callback({
    parameters: ["u64", "pointer", ...list, ...list, ...list],
    result: "void",
  }, call);
}

/** Makes a `cpg_totem_confchg_fn_t`. */
export function totemConfchgCallback(call: CpgTotemConfchg): NativeCallback {
  // The ring id is a struct of 16 bytes, passed in two registers.
  return callback(
    { parameters: ["u64", "u64", "u64", "u32", "pointer"], result: "void" },
    (handle, ringNode, seq, count, nodes) => {
      // The upper half of the first register is padding.
      const ringId = { nodeId: Number(ringNode & 0xffff_ffffn), seq };
      call(handle, ringId, count, nodes);
    },
  );
}
