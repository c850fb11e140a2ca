/**
 * All groups of the cluster.
 *
 * @module
 */
import { abortable } from "./abortable.ts";
import { Connection, type Request } from "./connection.ts";
import { CpgError } from "./errors.ts";
import type { Member } from "./events.ts";
import { CpgIteration, CsError } from "./ffi.ts";
import { inTurn } from "./in_turn.ts";
import { openLibcpg } from "./libcpg.ts";
import type { WaitOptions } from "./options.ts";
import { readCpgIterationDescription } from "./structs.ts";

/** A group of the cluster. */
export interface GroupInfo {
  /** Its name as text; bytes that are not UTF-8 are replaced. */
  readonly name: string;
  /** Its name as it is, a NUL at its end included. */
  readonly nameBytes: Uint8Array<ArrayBuffer>;
  /** Who belongs to it. */
  readonly members: readonly Member[];
}

/** How to list groups. */
export interface GroupsOptions extends WaitOptions {
  /** Path or name of libcpg, as for `join`. */
  library?: string;
}

/**
 * Lists every group of the cluster that has members, as the daemon of this
 * node knows them at one moment. It needs no membership anywhere.
 * (`cpg_iteration_initialize`, `cpg_iteration_next`, `cpg_iteration_finalize`)
 *
 * @throws {CpgError} As `join`.
 *
 * @example Who is where
 * ```ts
 * import { groups } from "@corosync/cpg";
 *
 * for await (const { name, members } of groups()) {
 *   console.log(name, members.length);
 * }
 * ```
 */
export async function* groups(
  options: GroupsOptions = {},
): AsyncGenerator<GroupInfo, void, void> {
  options.signal?.throwIfAborted();
  const listing = list(options.library);
  yield* await abortable(listing, undefined, options.signal);
}

async function list(library: string | undefined): Promise<GroupInfo[]> {
  const doing = "Cannot list the groups";
  const none = { deliver: 0n, confchg: 0n, totemConfchg: 0n };
  const connection = await Connection.open(openLibcpg(library), none, doing);
  try {
    return await iterate(connection, doing);
  } finally {
    await connection.finalize();
  }
}

async function iterate(
  connection: Connection,
  doing: string,
): Promise<GroupInfo[]> {
  const { libcpg, handle } = connection;
  let iteration = 0n;
  await connection.call({
    doing,
    call: "cpg_iteration_initialize",
    attempt: async ({ view, address }) => {
      const result = await inTurn(
        libcpg,
        () =>
          libcpg.async.cpg_iteration_initialize(
            handle,
            CpgIteration.ALL,
            0n,
            address,
          ),
      );
      iteration = view.getBigUint64(0, true);
      return result;
    },
  });
  const groups = new Map<string, GroupInfo & { members: Member[] }>();
  const next: Request = {
    doing,
    call: "cpg_iteration_next",
    attempt: async ({ view, address }) => {
      const result = await libcpg.async.cpg_iteration_next(iteration, address);
      if (result !== CsError.CS_OK) return result;
      const { group, nodeId, pid } = readCpgIterationDescription(view, 0);
      const key = group.join();
      if (!groups.has(key)) {
        const name = new TextDecoder().decode(group);
        groups.set(key, { name, nameBytes: group, members: [] });
      }
      groups.get(key)!.members.push({ nodeId, pid });
      return result;
    },
  };
  try {
    // The last one says CS_ERR_NO_SECTIONS.
    while (true) await connection.call(next);
  } catch (error) {
    const end = error instanceof CpgError &&
      error.code === "CS_ERR_NO_SECTIONS";
    if (!end) throw error;
  }
  await connection.call({
    doing,
    call: "cpg_iteration_finalize",
    attempt: () =>
      inTurn(
        libcpg,
        () => libcpg.async.cpg_iteration_finalize(iteration),
      ),
  });
  return [...groups.values()];
}
