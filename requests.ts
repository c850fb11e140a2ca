/**
 * Requests to the daemon: what they need in memory, and what comes back.
 *
 * @module
 */
import type { Connection } from "./connection.ts";
import { type Member, toMembers } from "./events.ts";
import type { Send } from "./outbox.ts";
import {
  CPG_MEMBERSHIP_MAX,
  readCpgAddresses,
  SIZEOF_CPG_NAME,
  writeCpgName,
} from "./structs.ts";

/** `cpg_join` or `cpg_leave`, as something to send in its turn. */
export function change(
  { libcpg, handle }: Connection,
  doing: string,
  call: "cpg_join" | "cpg_leave",
  group: Uint8Array,
): Send {
  return {
    doing,
    call,
    immediate: false,
    attempt: (memory) => {
      writeCpgName(memory.view, 0, group);
      return libcpg.async[call](handle, memory.address);
    },
  };
}

/** `cpg_local_get`: the id of this node. */
export async function localNodeId(
  connection: Connection,
  doing: string,
  signal?: AbortSignal,
): Promise<number> {
  const { libcpg, handle } = connection;
  const call = "cpg_local_get";
  let nodeId = 0;
  await connection.call({
    doing,
    call,
    attempt: async (memory) => {
      const result = await libcpg.async[call](handle, memory.address);
      nodeId = memory.view.getUint32(0, true);
      return result;
    },
  }, signal);
  return nodeId;
}

/** `cpg_membership_get`: who belongs to a group. */
export async function membership(
  connection: Connection,
  doing: string,
  group: Uint8Array,
  signal?: AbortSignal,
): Promise<Member[]> {
  const { libcpg, handle } = connection;
  const call = "cpg_membership_get";
  const [count, list] = [SIZEOF_CPG_NAME, SIZEOF_CPG_NAME + 4];
  let members: Member[] = [];
  await connection.call({
    doing,
    call,
    attempt: async ({ view, address }) => {
      writeCpgName(view, 0, group);
      view.setInt32(count, CPG_MEMBERSHIP_MAX, true);
      const result = await libcpg.async[call](
        handle,
        address,
        address + BigInt(list),
        address + BigInt(count),
      );
      const entries = view.getInt32(count, true);
      members = toMembers(readCpgAddresses(view, list, entries));
      return result;
    },
  }, signal);
  return members;
}
