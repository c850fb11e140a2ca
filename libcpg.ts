/**
 * Finding and loading libcpg.
 *
 * @module
 */
import { type CpgCalls, cpgSignatures } from "./cpg_calls.ts";
import { CpgError } from "./errors.ts";
import { type LibcCalls, libcSignatures } from "./libc.ts";
import {
  addressOf,
  environment,
  isRefusal,
  machine,
  open,
} from "./native/deno.ts";
import type { Library } from "./native/port.ts";

/** libcpg, loaded, with what the library needs of libc. */
export interface Libcpg extends Library<CpgCalls & LibcCalls> {
  /** The name or path under which it was found. */
  readonly path: string;
}

/** Where libcpg may be, best first: what the loader finds, then by path. */
function candidates(): string[] {
  const file = "libcpg.so.4";
  const triplet = `${machine.arch}-linux-gnu`;
  return [
    file,
    `/usr/lib/${triplet}/${file}`,
    `/usr/lib64/${file}`,
    `/usr/lib/${file}`,
    `/usr/local/lib/${file}`,
    `/usr/local/lib64/${file}`,
  ];
}

const loaded = new Map<string, Libcpg>();

const RTLD_NOW = 2;
const RTLD_NODELETE = 0x1000;

/**
 * Keeps the library in memory for good. The runtime closes it when a Worker
 * ends, while a call of that Worker may still be in it.
 */
function keep({ path, calls }: Libcpg): void {
  const name = new TextEncoder().encode(`${path}\0`);
  calls.dlopen(addressOf(name), RTLD_NOW | RTLD_NODELETE);
}

/** Loads libcpg, once: see the public function of this name in `ffi.ts`. */
export function openLibcpg(library?: string): Libcpg {
  const named = library ?? (environment("CPG_LIBRARY") || undefined);
  const tried: string[] = [];
  for (const path of named === undefined ? candidates() : [named]) {
    const known = loaded.get(path);
    if (known) return known;
    try {
      const functions = open<CpgCalls & LibcCalls>(path, {
        ...cpgSignatures,
        ...libcSignatures,
      });
      const libcpg = { path, ...functions };
      keep(libcpg);
      loaded.set(path, libcpg);
      return libcpg;
    } catch (error) {
      if (isRefusal(error)) throw error;
      tried.push(`  ${path}: ${(error as Error).message.trim()}`);
    }
  }
  const source = library !== undefined
    ? "the library option"
    : named !== undefined
    ? "CPG_LIBRARY"
    : "the well-known places";
  throw new CpgError("Cannot load libcpg", "dlopen", "CS_ERR_LIBRARY", {
    remedy: `${source} did not give it. Tried:\n${tried.join("\n")}\n` +
      "Install it (apt install libcpg4, dnf install corosynclib, " +
      "zypper install libcpg4, apk add corosync, pacman -S corosync), " +
      "or name the file with the library option or CPG_LIBRARY.",
  });
}
