/**
 * Joining a process group.
 *
 * @module
 */
import { abortable } from "./abortable.ts";
import { type Group, openGroup } from "./group.ts";
import { openLibcpg } from "./libcpg.ts";
import type { JoinOptions } from "./options.ts";
import { CPG_MAX_NAME_LENGTH } from "./structs.ts";

const DEFAULT_HIGH_WATER_MARK = 2 ** 20;

/**
 * Joins a process group, and resolves when the members agree on it: the first
 * membership change of the stream lists this process, and every message from
 * there on follows.
 *
 * Waits for as long as the group's last departure of this process is not agreed
 * yet, or corosync is busy; the signal bounds it.
 *
 * @param name The group's name: 1 to 128 bytes, as text in UTF-8. Its length
 * is part of it: `"orders"` and `"orders\0"`, as Pacemaker's kin write it, are
 * two groups.
 * @returns The group, joined. (`cpg_model_initialize`, `cpg_join`)
 * @throws {TypeError} If the name is neither well-formed text nor bytes.
 * @throws {RangeError} If the name is empty or too long, or the high-water
 * mark is not a positive number.
 * @throws {CpgError} `CS_ERR_LIBRARY` without libcpg or without a daemon,
 * `CS_ERR_TRY_AGAIN` while the daemon is starting, `CS_ERR_ACCESS` if it
 * refuses this user, `CS_ERR_EXIST` if this process has joined the group
 * already, `CS_ERR_NO_RESOURCES` without a descriptor left.
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
  const { reconnect = false, lend = false } = options;
  const { highWaterMark = DEFAULT_HIGH_WATER_MARK } = options;
  const groupName = encodeName(name);
  if (typeof highWaterMark !== "number" || !(highWaterMark > 0)) {
    throw new RangeError(
      `Cannot join: the high-water mark is a positive number of bytes, not ${highWaterMark}`,
    );
  }
  if (![undefined, "recorder", "callbacks"].includes(receiving)) {
    throw new TypeError(
      `Cannot join: \`receiving\` is "recorder" or "callbacks", not ${receiving}`,
    );
  }
  signal?.throwIfAborted();
  const libcpg = openLibcpg(library);
  const display = typeof name === "string"
    ? name
    : new TextDecoder().decode(name);
  const opening = openGroup({
    name: display,
    groupName,
    libcpg,
    receiving,
    highWaterMark,
    reconnect,
    lend,
  }, signal);
  try {
    return await abortable(opening, undefined, signal);
  } catch (error) {
    opening.then((group) => group.close(), () => {});
    throw error;
  }
}

function encodeText(name: string): Uint8Array {
  const bytes = new TextEncoder().encode(name);
  // Half of a surrogate pair would be encoded as any other half.
  if (new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes) !== name) {
    throw new TypeError(
      `Cannot join group ${
        JSON.stringify(name)
      }: its name is not well-formed; give it as bytes, if they are what you mean`,
    );
  }
  return bytes;
}

function encodeName(name: string | Uint8Array): Uint8Array {
  if (typeof name !== "string" && !(name instanceof Uint8Array)) {
    throw new TypeError(
      `Cannot join: a group's name is a string or a Uint8Array, not ${name}`,
    );
  }
  // Not `slice`, which for a Buffer copies nothing.
  const bytes = typeof name === "string"
    ? encodeText(name)
    : new Uint8Array(name);
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
