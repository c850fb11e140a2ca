/**
 * Corosync's closed process groups (CPG): one total order of messages and one
 * view of the members, for processes on a cluster of machines.
 *
 * ```ts
 * import { join } from "@corosync/cpg";
 *
 * await using group = await join("orders");
 * await group.send(new TextEncoder().encode("hello"));
 * for await (const event of group) {
 *   console.log(event);
 *   if (event.type === "message") break;
 * }
 * ```
 *
 * It loads libcpg (`libcpg.so.4`) and talks to the corosync daemon of this
 * machine: run it with `--allow-ffi`.
 *
 * @module
 */
export { join } from "./join.ts";
export { Group } from "./group.ts";
export { type GroupInfo, groups, type GroupsOptions } from "./groups.ts";
export type {
  JoinOptions,
  SendBufferOptions,
  SendOptions,
  WaitOptions,
} from "./options.ts";
export type {
  Change,
  Disconnection,
  GroupEvent,
  Member,
  MembershipChange,
  Message,
  Reason,
  Reconnection,
  RingChange,
  RingId,
} from "./events.ts";
export type { Receiving } from "./dispatch.ts";
export { ZeroCopyBuffer } from "./zcb.ts";
export {
  CpgError,
  CsError,
  type CsErrorName,
  type Delivery,
} from "./errors.ts";
