/**
 * The foreign-function port on Node and Bun, over koffi.
 *
 * koffi is loaded when it is first needed, so that this package can be
 * imported wherever it cannot work, and say why when it is used.
 *
 * @module
 */
import { createRequire } from "node:module";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { CpgError } from "../errors.ts";
import { callers } from "./caller/code.ts";
import { type Koffi, Threads } from "./node_threads.ts";
import type {
  AsyncCalls,
  Library,
  NativeCallback,
  NativeType,
  Signature,
} from "./port.ts";

/** The oldest Node that has all that is needed. */
const OLDEST_NODE = 20;

const koffiTypes = {
  void: "void",
  i32: "int32",
  u32: "uint32",
  u64: "uint64",
  usize: "uint64",
  // An address travels as a number.
  pointer: "uint64",
} as const satisfies Record<NativeType, string>;

let koffi: Koffi | undefined;
let threads: Threads | undefined;

/**
 * Opens a library, whose functions are then there twice: called on this
 * thread, and (`async`) on another one.
 */
export function open<T>(
  path: string,
  signatures: Record<keyof T & string, Signature>,
): Library<T> {
  const library = loadKoffi().load(path);
  const calls: Record<string, unknown> = {};
  const async: Record<string, unknown> = {};
  const addresses: Record<string, bigint> = {};
  for (const [name, signature] of Object.entries<Signature>(signatures)) {
    const address = addressIn(library, name);
    if (address === undefined) {
      if (!signature.optional) throw new Error(`undefined symbol: ${name}`);
      calls[name] = async[name] = null;
      continue;
    }
    addresses[name] = address;
    const { parameters, result } = signature;
    const call = library.func(
      name,
      koffiTypes[result],
      parameters.map((type) => koffiTypes[type]),
    );
    // koffi gives a small number as one.
    calls[name] = isWide(result)
      ? (...args: unknown[]) => BigInt(call(...args))
      : call;
    async[name] = async (...args: (number | bigint)[]) => {
      const value = await threads!.call(
        address,
        args.map(BigInt),
        // Which all groups wait for.
        name === "poll",
      );
      switch (result) {
        case "void":
          return undefined;
        case "i32":
          return Number(BigInt.asIntN(32, value));
        case "u32":
          return Number(BigInt.asUintN(32, value));
        default:
          return value;
      }
    };
  }
  return {
    calls: calls as T,
    async: async as AsyncCalls<T>,
    address: (name) => addresses[name],
  };
}

function addressIn(
  library: ReturnType<Koffi["load"]>,
  name: string,
): bigint | undefined {
  try {
    return library.symbol(name);
  } catch {
    return undefined;
  }
}

/** Whether values of a type are `bigint`s. */
function isWide(type: NativeType): boolean {
  return type === "u64" || type === "usize" || type === "pointer";
}

/**
 * The address of a typed array's first byte; 0n if it is empty. It is valid
 * for as long as the array is referred to from JavaScript.
 */
export function addressOf(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : loadKoffi().address(bytes);
}

/**
 * An `ArrayBuffer` over memory that C owns: no copy, and nothing keeps the
 * memory from being freed under it.
 */
export function viewOf(address: bigint, length: number): ArrayBuffer {
  if (address === 0n) throw new TypeError("Cannot view memory at address 0");
  return loadKoffi().view(address, length);
}

/**
 * Empties every view of a buffer, so that its memory can go.
 *
 * @returns Whether they are empty now; a runtime may be unable to do it.
 */
export function detach(buffer: ArrayBuffer): boolean {
  // Node 20 has no such method.
  const { transfer } = buffer as ArrayBuffer & { transfer?(): ArrayBuffer };
  return transfer?.call(buffer) !== undefined;
}

/** Makes a JavaScript function callable from C. */
export function callback(
  signature: Signature,
  // deno-lint-ignore no-explicit-any
  call: (...args: any[]) => void,
): NativeCallback {
  const { parameters, result } = signature;
  const koffi = loadKoffi();
  const type = koffi.pointer(
    koffi.proto(
      koffiTypes[result],
      parameters.map((type) => koffiTypes[type]),
    ),
  );
  const address = koffi.register(
    (...args: (number | bigint)[]) =>
      call(...args.map((arg, i) => isWide(parameters[i]) ? BigInt(arg) : arg)),
    type,
  );
  return { address, close: () => koffi.unregister(address) };
}

/** An environment variable, if it is set. */
export function environment(name: string): string | undefined {
  return process.env[name];
}

/** Whether a failure of {@linkcode open} is that of this runtime. */
export function isRefusal(error: unknown): boolean {
  return error instanceof CpgError;
}

/** A command that runs a module as a program, with all rights. */
export function commandFor(module: string): string[] {
  return [process.execPath, fileURLToPath(module)];
}

/** The machine this runs on, for choosing paths and machine code. */
export const machine: { os: string; arch: string } = {
  os: process.platform,
  arch: { x64: "x86_64", arm64: "aarch64" }[process.arch as string] ??
    process.arch,
};

function loadKoffi(): Koffi {
  if (koffi) return koffi;
  const { arch } = machine;
  const node = process.versions.node ?? "";
  if (process.platform !== "linux") {
    refuse(
      `corosync and libcpg exist on Linux only, and this is ${process.platform}: run this program on a node of the cluster`,
    );
  }
  if (!(arch in callers)) {
    refuse(`this is for x86-64 and aarch64, and the processor is ${arch}`);
  }
  if (!("bun" in process.versions) && parseInt(node) < OLDEST_NODE) {
    refuse(`Node.js ${OLDEST_NODE} or later is needed, and this is ${node}`);
  }
  let loaded: Koffi;
  try {
    loaded = createRequire(import.meta.url)("koffi");
  } catch (cause) {
    refuse(
      "the package koffi, or its part for this machine, is missing: install this package again, without leaving out optional dependencies",
      cause,
    );
  }
  try {
    const memory = loaded.alloc("uint8", 1);
    loaded.view(memory, 1);
    loaded.free(memory);
  } catch (cause) {
    refuse(
      "this runtime allows no views of memory outside of its own, as Electron does not: use it in a process of Node.js",
      cause,
    );
  }
  threads = new Threads(loaded, arch as keyof typeof callers);
  return koffi = loaded;
}

function refuse(remedy: string, cause?: unknown): never {
  throw new CpgError("Cannot load libcpg", "dlopen", "CS_ERR_LIBRARY", {
    remedy,
    cause,
  });
}
