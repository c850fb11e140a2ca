/**
 * Putting machine code where it can run.
 *
 * @module
 */
import type { Libcpg } from "./libcpg.ts";
import { machine, viewOf } from "./native/deno.ts";

const PAGE = 4096n;
const PROT_READ = 1;
const PROT_WRITE = 2;
const PROT_EXEC = 4;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;

/** Whatever there is for each processor, by `machine.arch`. */
type ForProcessors<T> = Readonly<Record<"x86_64" | "aarch64", T>>;

/** What there is for this machine; nothing where none of it can run. */
export function forThisMachine<T>(all: ForProcessors<T>): T | undefined {
  return machine.os === "linux"
    ? all[machine.arch as keyof typeof all]
    : undefined;
}

/**
 * Loads code of up to a page, for good.
 *
 * @returns Its address, the beginning of a page; nothing where the system
 * refuses executable memory.
 */
export function load({ calls }: Libcpg, bytes: Uint8Array): bigint | undefined {
  const code = calls.mmap(
    0n,
    PAGE,
    PROT_READ | PROT_WRITE,
    MAP_PRIVATE_ANONYMOUS,
    -1,
    0n,
  );
  if (code === MAP_FAILED) return undefined;
  new Uint8Array(viewOf(code, Number(PAGE))).set(bytes);
  // Writable or executable, never both.
  if (calls.mprotect(code, PAGE, PROT_READ | PROT_EXEC) === 0) return code;
  calls.munmap(code, PAGE);
  return undefined;
}
