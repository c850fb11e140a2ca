/**
 * Joining a process group.
 *
 * @module
 */
import { abortable, Ending } from "./abortable.ts";
import { Connection } from "./connection.ts";
import { type Dispatcher, openDispatcher, type Receiving } from "./dispatch.ts";
import { openLibcpg } from "./ffi.ts";
import { arrivalOf, type Group, makeGroup } from "./group.ts";
import { change, localNodeId } from "./requests.ts";
import { CPG_MAX_NAME_LENGTH } from "./structs.ts";

/** How to join. */
export interface JoinOptions {
  /** Gives up joining; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
  /**
   * Path or name of libcpg. Otherwise the environment variable `CPG_LIBRARY`
   * says it, if it may be read without asking, or it is looked for where
   * distributions install it.
   */
  library?: string;
  /**
   * How much may wait to be read, in bytes of messages plus 64 an event,
   * before dispatching pauses; corosync then slows the senders. Default 1 MiB.
   */
  highWaterMark?: number;
  /** How to receive. Default: the fastest way that works here. */
  receiving?: Receiving;
}

const DEFAULT_HIGH_WATER_MARK = 2 ** 20;

/**
 * Joins a process group, and resolves when the members agree on it: the first
 * membership change of the stream lists this process, and every message from
 * there on follows.
 *
 * Waits for as long as corosync says to try again; the signal bounds it.
 *
 * @param name The group's name: 1 to 128 bytes, as text in UTF-8. Its length
 * is part of it: `"orders"` and `"orders\0"`, as Pacemaker's kin write it, are
 * two groups.
 * @returns The group, joined. (`cpg_model_initialize`, `cpg_join`)
 * @throws {RangeError} If the name is empty or too long, or the high-water
 * mark is not a positive number.
 * @throws {CpgError} `CS_ERR_LIBRARY` without libcpg or without a daemon,
 * `CS_ERR_ACCESS` if the daemon refuses this user, `CS_ERR_EXIST` if this
 * process has joined the group already.
 *
 * @example Say hello to everyone, and listen
 * ```ts
 * import { join } from "@corosync/cpg";
 *
 * await using group = await join("greetings");
 * await group.send(new TextEncoder().encode("hello"));
 * for await (const event of group) {
 *   if (event.type === "message") {
 *     console.log(event.sender, new TextDecoder().decode(event.data));
 *     break;
 *   }
 * }
 * ```
 */
export async function join(
  name: string | Uint8Array,
  options: JoinOptions = {},
): Promise<Group> {
  const { signal, library, receiving } = options;
  const { highWaterMark = DEFAULT_HIGH_WATER_MARK } = options;
  const groupName = encodeName(name);
  if (!(highWaterMark > 0)) {
    throw new RangeError(
      `Cannot join: the high-water mark is a positive number of bytes, not ${highWaterMark}`,
    );
  }
  signal?.throwIfAborted();
  const libcpg = openLibcpg(library);
  const display = typeof name === "string"
    ? name
    : new TextDecoder().decode(name);
  const dispatcher = openDispatcher(libcpg, receiving);
  const opening = create(
    () => Connection.open(libcpg, dispatcher.callbacks, joining(display)),
    dispatcher,
    { name: display, groupName, highWaterMark, signal },
  );
  try {
    return await abortable(opening, new Ending(), signal);
  } catch (error) {
    opening.then((group) => group.close(), () => {});
    throw error;
  }
}

function joining(name: string): string {
  return `Cannot join group ${JSON.stringify(name)}`;
}

function encodeName(name: string | Uint8Array): Uint8Array {
  const bytes = typeof name === "string"
    ? new TextEncoder().encode(name)
    : name.slice();
  if (bytes.length === 0) {
    throw new RangeError(
      "Cannot join group: its name is empty (0 bytes); a name has 1 to 128 bytes",
    );
  }
  if (bytes.length > CPG_MAX_NAME_LENGTH) {
    throw new RangeError(
      `Cannot join group: its name has ${bytes.length} bytes in UTF-8; a name has 1 to ${CPG_MAX_NAME_LENGTH} bytes`,
    );
  }
  return bytes;
}

interface Joining {
  readonly name: string;
  readonly groupName: Uint8Array;
  readonly highWaterMark: number;
  readonly signal: AbortSignal | undefined;
}

/** Connects and joins; leaves nothing behind where that fails. */
async function create(
  connect: () => Promise<Connection>,
  dispatcher: Dispatcher,
  { name, groupName, highWaterMark, signal }: Joining,
): Promise<Group> {
  let connection: Connection | undefined;
  let nodeId: number;
  try {
    connection = await connect();
    nodeId = await localNodeId(connection, joining(name), signal);
    await connection.call(
      change(connection, joining(name), "cpg_join", groupName),
      signal,
    );
  } catch (error) {
    await connection?.finalize();
    dispatcher.close();
    throw error;
  }
  const group = makeGroup({
    name,
    groupName,
    connection,
    dispatcher,
    highWaterMark,
    self: { nodeId, pid: connection.libcpg.calls.getpid() },
  });
  try {
    await arrivalOf(group, signal);
    return group;
  } catch (error) {
    await group.close();
    throw error;
  }
}
