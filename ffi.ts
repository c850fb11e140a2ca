/**
 * All calls of libcpg, one to one, for those who port C programs; the library
 * itself is built on them.
 *
 * A function takes what its C namesake takes. Handles and addresses are
 * `bigint`s, {@linkcode addressOf} gives the address of a typed array, and
 * every result is a {@linkcode CsError} number. Each function is there twice:
 * in `calls` it runs on this thread, in `async` on another one, and the event
 * loop goes on. Nothing is checked before C sees it.
 *
 * What C demands still holds here:
 *
 * - Memory must live for as long as C uses it: until a call returns, or its
 *   promise resolves, keep a reference to each typed array whose address it
 *   was given, or that such an array holds the address of.
 * - Calls on one handle must not overlap, nor must those on its iterations.
 *   `cpg_dispatch` alone may run beside another one.
 * - A callback in JavaScript cannot run inside a synchronous `cpg_dispatch`,
 *   which needs more stack than V8 has by default: dispatch with
 *   `async.cpg_dispatch`.
 * - Close a callback when no connection has it any more, and not from inside.
 *
 * @example Join a group and wait for the first event
 * ```ts
 * import {
 *   addressOf,
 *   confchgCallback,
 *   CpgError,
 *   CsDispatch,
 *   CsError,
 *   openLibcpg,
 *   SIZEOF_CPG_CALLBACKS,
 *   SIZEOF_CPG_NAME,
 *   writeCpgCallbacks,
 *   writeCpgName,
 * } from "@corosync/cpg/ffi";
 *
 * const { calls, async } = openLibcpg();
 * function check(call: string, result: number) {
 *   if (result !== CsError.CS_OK) {
 *     throw new CpgError("Cannot listen", call, result);
 *   }
 * }
 *
 * const confchg = confchgCallback((_handle, _group, _members, count) =>
 *   console.log(`${count} members`)
 * );
 * const callbacks = new DataView(new ArrayBuffer(SIZEOF_CPG_CALLBACKS));
 * writeCpgCallbacks(callbacks, 0, { deliver: 0n, confchg: confchg.address });
 * const group = new DataView(new ArrayBuffer(SIZEOF_CPG_NAME));
 * writeCpgName(group, 0, new TextEncoder().encode("orders"));
 *
 * const out = new BigUint64Array(1);
 * check(
 *   "cpg_initialize",
 *   calls.cpg_initialize(addressOf(out), addressOf(callbacks)),
 * );
 * const [handle] = out;
 * check("cpg_join", calls.cpg_join(handle, addressOf(group)));
 * check("cpg_dispatch", await async.cpg_dispatch(handle, CsDispatch.ONE));
 * check("cpg_finalize", calls.cpg_finalize(handle));
 * confchg.close();
 * ```
 *
 * @module
 */
import type { CpgCalls } from "./cpg_calls.ts";
import type { PollCalls } from "./libc.ts";
import { openLibcpg as open } from "./libcpg.ts";
import { addressOf as addressOfBytes } from "./native/deno.ts";
import type { Library } from "./native/port.ts";

export type { CpgCalls } from "./cpg_calls.ts";
export type { PollCalls } from "./libc.ts";
export * from "./callbacks.ts";
export { callback, viewOf } from "./native/deno.ts";
export type {
  AsyncCalls,
  Library,
  NativeCallback,
  NativeType,
  Signature,
} from "./native/port.ts";
export { CpgError, CsError, type CsErrorName, csErrorName } from "./errors.ts";
export * from "./structs.ts";

/** Models of a connection (`cpg_model_t`). */
export const CpgModel = { V1: 1 } as const;

/** Flags of model v1. */
export const CpgModelFlag = {
  /**
   * Deliver the ring that exists at the time of joining, right after the first
   * configuration change. (`CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF`)
   */
  DELIVER_INITIAL_TOTEM_CONF: 1,
} as const;

/**
 * Delivery guarantees (`cpg_guarantee_t`). corosync implements AGREED, which
 * FIFO is another name of, and neither UNORDERED nor SAFE.
 */
export const CpgGuarantee = {
  UNORDERED: 0,
  FIFO: 1,
  AGREED: 2,
  SAFE: 3,
} as const;

/** What `cpg_dispatch` waits for (`cs_dispatch_flags_t`). */
export const CsDispatch = {
  /** One event, waiting for it. */
  ONE: 1,
  /** All that is there, if anything. */
  ALL: 2,
  /**
   * Everything, until a callback calls `cpg_finalize`, which ends it with
   * CS_ERR_BAD_HANDLE, or the daemon is gone.
   */
  BLOCKING: 3,
  /** One event, or CS_ERR_TRY_AGAIN. */
  ONE_NONBLOCKING: 4,
} as const;

/** Why a process is listed in a configuration change (`cpg_reason_t`). */
export const CpgReason = {
  /** In a list of members. */
  UNDEFINED: 0,
  /** It has called `cpg_join`. */
  JOIN: 1,
  /** It has called `cpg_leave`. */
  LEAVE: 2,
  /** Its node is gone. */
  NODEDOWN: 3,
  /** Its node has come, and it was a member there. */
  NODEUP: 4,
  /** It has ended, or has called `cpg_finalize` without `cpg_leave`. */
  PROCDOWN: 5,
} as const;

/** What an iteration goes over (`cpg_iteration_type_t`). */
export const CpgIteration = {
  /** Names of the groups; the group argument is NULL. */
  NAME_ONLY: 1,
  /** Members of the one group that is given. */
  ONE_GROUP: 2,
  /** Members of all groups, group by group; the group argument is NULL. */
  ALL: 3,
} as const;

/** `cpg_flow_control_state_t`; libcpg always says DISABLED. */
export const CpgFlowControl = { DISABLED: 0, ENABLED: 1 } as const;

/** libcpg, loaded. */
export interface Libcpg extends Library<CpgCalls & PollCalls> {
  /** The name or path under which it was found. */
  readonly path: string;
}

/**
 * Loads libcpg, once; it is never unloaded.
 *
 * @param library Path or name of the library. Without it, the environment
 * variable `CPG_LIBRARY` says it, if it is set and may be read without
 * asking; otherwise it is looked for where distributions install it.
 * @returns Its functions.
 * @throws {CpgError} `CS_ERR_LIBRARY` if it cannot be loaded: the message says
 * everything that was tried, and how to install it.
 * @throws {Deno.errors.NotCapable} Without `--allow-ffi`.
 */
export function openLibcpg(library?: string): Libcpg {
  return open(library);
}

/**
 * The address of a typed array's or view's first byte; 0n if it is empty. It
 * is valid for as long as the array's memory is referred to from JavaScript.
 */
export function addressOf(array: ArrayBufferView): bigint {
  const { buffer, byteOffset, byteLength } = array;
  return addressOfBytes(new Uint8Array(buffer, byteOffset, byteLength));
}
