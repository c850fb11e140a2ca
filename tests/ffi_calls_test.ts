/** Every function of libcpg, called one to one. */
import type { CpgCalls } from "../ffi.ts";
import { connection } from "./ffi/connection.ts";
import { groups } from "./ffi/groups.ts";
import { messages } from "./ffi/messages.ts";

/** A function that is missing here is a mistake of types. */
const tests: Record<
  keyof CpgCalls,
  Record<string, () => void | Promise<void>>
> = { ...connection, ...groups, ...messages };

for (const [call, cases] of Object.entries(tests)) {
  for (const [title, test] of Object.entries(cases)) {
    Deno.test(`${call}: ${title}`, test);
  }
}
