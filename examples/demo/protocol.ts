/** What the demo's sender and receiver have agreed on. */
import type { Member } from "../../mod.ts";

/** The group they meet in. */
export const GROUP = Deno.args[0] ?? "demo";

/** The size of a payload, in bytes. */
export const SIZE = 1_000_000;

/** How many payloads there are. */
export const PAYLOADS = 2;

/** What the sender says first: the digests of the payloads to follow. */
export interface Announcement {
  readonly sha256: readonly string[];
}

/** The SHA-256 of some bytes, in hexadecimal. */
export async function sha256(
  bytes: Uint8Array<ArrayBuffer>,
): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return new Uint8Array(digest).toHex();
}

/** A member, for people to read. */
export function show({ nodeId, pid }: Member): string {
  return `process ${pid} on node ${nodeId}`;
}

/** A number of bytes, for people to read. */
export function bytes(count: number): string {
  return `${count.toLocaleString("en")} bytes`;
}
