/**
 * What a group tells its reader, in the one order that all members see.
 *
 * @module
 */
import type { CpgError } from "./errors.ts";
import { CpgReason } from "./ffi.ts";
import type { CpgAddress } from "./structs.ts";

/** A process that has joined a group. */
export interface Member {
  /** Id of its node in the cluster (`nodeid` in corosync.conf). */
  readonly nodeId: number;
  /** Its process id on that node. */
  readonly pid: number;
}

/**
 * Why a member came or went: it joined, it left, its process ended without
 * leaving, its node went down, or its node came back from another partition.
 */
export type Reason =
  | "undefined"
  | "join"
  | "leave"
  | "node-down"
  | "node-up"
  | "process-down";

/** A member that came or went. */
export interface Change extends Member {
  /** Why. */
  readonly reason: Reason;
}

/** A message that a member, perhaps this one, sent to the group. */
export interface Message {
  /** Tells this event from the others. */
  readonly type: "message";
  /** The bytes; they are the reader's own, or lent (`JoinOptions.lend`). */
  readonly data: Uint8Array<ArrayBuffer>;
  /** Who sent it. */
  readonly sender: Member;
}

/**
 * A membership change. `members` is what to rely on: after partitions have
 * merged, `joined` and `left` can differ from node to node.
 *
 * libcpg makes room for 128 members and does not check it. Measured with
 * corosync 3.1.7, lists of up to 257 are right, and some entries of longer ones
 * are not; `Group.members` is right up to 384, more than which corosync itself
 * has no room for.
 */
export interface MembershipChange {
  /** Tells this event from the others. */
  readonly type: "membership";
  /** Who belongs to the group from here on. */
  readonly members: readonly Member[];
  /** Who came. */
  readonly joined: readonly Change[];
  /** Who went. */
  readonly left: readonly Change[];
}

/** The identity of a ring: one configuration of the cluster's nodes. */
export interface RingId {
  /** Id of the node that represents the ring. */
  readonly nodeId: number;
  /** Grows with each new ring. */
  readonly seq: bigint;
}

/** The nodes of the cluster changed, or this is the ring found at joining. */
export interface RingChange {
  /** Tells this event from the others. */
  readonly type: "ring";
  /** The ring that holds from here on. */
  readonly ringId: RingId;
  /** Ids of its nodes. */
  readonly nodes: readonly number[];
}

/**
 * The daemon is lost; only with `join(name, { reconnect: true })`. What the
 * daemon still had for this member is lost, too.
 */
export interface Disconnection {
  /** Tells this event from the others. */
  readonly type: "disconnected";
  /** How it was lost. */
  readonly error: CpgError;
}

/**
 * The daemon is back and the group joined again, as a new member: messages of
 * the time between have not come, so state built on them is to be fetched anew.
 */
export interface Reconnection {
  /** Tells this event from the others. */
  readonly type: "reconnected";
  /** Who belongs to the group from here on. */
  readonly members: readonly Member[];
}

/** What a group's stream yields. */
export type GroupEvent =
  | Message
  | MembershipChange
  | RingChange
  | Disconnection
  | Reconnection;

const reasons = new Map<number, Reason>([
  [CpgReason.JOIN, "join"],
  [CpgReason.LEAVE, "leave"],
  [CpgReason.NODEDOWN, "node-down"],
  [CpgReason.NODEUP, "node-up"],
  [CpgReason.PROCDOWN, "process-down"],
]);

/** A member list without its reasons, which C leaves undefined there. */
export function toMembers(addresses: readonly CpgAddress[]): Member[] {
  return addresses.map(({ nodeId, pid }) => ({ nodeId, pid }));
}

/** A joined or left list. */
export function toChanges(addresses: readonly CpgAddress[]): Change[] {
  return addresses.map(({ nodeId, pid, reason }) => ({
    nodeId,
    pid,
    reason: reasons.get(reason) ?? "undefined",
  }));
}

/** What an event counts for against the high-water mark, in bytes. */
export function eventSize(event: GroupEvent): number {
  return 64 + (event.type === "message" ? event.data.length : 0);
}
