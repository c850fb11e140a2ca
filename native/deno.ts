/**
 * The foreign-function port on Deno.
 *
 * @module
 */
import type {
  AsyncCalls,
  Library,
  NativeCallback,
  NativeType,
  Signature,
} from "./port.ts";

const denoTypes = {
  void: "void",
  i32: "i32",
  u32: "u32",
  u64: "u64",
  usize: "usize",
  // An address travels as a number: a PointerObject would be made for each.
  pointer: "u64",
} as const satisfies Record<NativeType, Deno.NativeResultType>;

/**
 * `memmove(bytes, 0n, 0n)`: it moves nothing, and returns the address that the
 * bytes have come with, in a tenth of the time that `UnsafePointer.of` takes.
 */
let memmove:
  | ((to: Uint8Array<ArrayBuffer>, from: bigint, size: bigint) => bigint)
  | null = null;

const memmoveSymbol = {
  name: "memmove",
  parameters: ["buffer", "u64", "usize"],
  result: "u64",
  optional: true,
} as const;

/**
 * Opens a library, whose functions are then there twice: called on this
 * thread, and (`async`) on another one. It is never closed again, since that
 * would crash the process if a call were still in flight.
 */
export function open<T>(
  path: string,
  signatures: Record<keyof T & string, Signature>,
): Library<T> {
  const symbols: Record<string, Deno.ForeignFunction | Deno.ForeignStatic> = {
    "address of": memmoveSymbol,
  };
  for (const [name, signature] of Object.entries<Signature>(signatures)) {
    const symbol = {
      name,
      parameters: signature.parameters.map((type) =>
        denoTypes[type] as Deno.NativeType
      ),
      result: denoTypes[signature.result],
      optional: signature.optional ?? false,
    };
    symbols[name] = symbol;
    symbols[`${name} async`] = { ...symbol, nonblocking: true };
    symbols[`${name} address`] = {
      name,
      type: "pointer",
      optional: symbol.optional,
    };
  }
  const library = Deno.dlopen(path, symbols).symbols as Record<string, unknown>;
  memmove ??= library["address of"] as typeof memmove;
  const calls: Record<string, unknown> = {};
  const async: Record<string, unknown> = {};
  for (const name of Object.keys(signatures)) {
    calls[name] = library[name];
    async[name] = library[name] && library[`${name} async`];
  }
  return {
    calls: calls as T,
    async: async as AsyncCalls<T>,
    // A static's pointer is the symbol's own address.
    address: (name) =>
      Deno.UnsafePointer.value(
        library[`${name} address`] as Deno.PointerValue,
      ),
  };
}

/**
 * The address of a typed array's first byte; 0n if it is empty. It is valid
 * for as long as the array is referred to from JavaScript.
 */
export function addressOf(bytes: Uint8Array): bigint {
  // The cast: Deno's types leave out what it does accept, a shared buffer.
  const own = bytes as Uint8Array<ArrayBuffer>;
  if (memmove) return memmove(own, 0n, 0n);
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(own));
}

/**
 * An `ArrayBuffer` over memory that C owns: no copy, and nothing keeps the
 * memory from being freed under it.
 */
export function viewOf(address: bigint, length: number): ArrayBuffer {
  const pointer = Deno.UnsafePointer.create(address);
  if (pointer === null) throw new TypeError("Cannot view memory at address 0");
  return Deno.UnsafePointerView.getArrayBuffer(pointer, length);
}

/**
 * Empties every view of a buffer, so that its memory can go.
 *
 * @returns Whether they are empty now; a runtime may be unable to do it.
 */
export function detach(buffer: ArrayBuffer): boolean {
  buffer.transfer();
  return true;
}

/** Makes a JavaScript function callable from C. */
export function callback(
  signature: Signature,
  // deno-lint-ignore no-explicit-any
  call: (...args: any[]) => void,
): NativeCallback {
  const native = new Deno.UnsafeCallback(
    {
      parameters: signature.parameters.map((type) =>
        denoTypes[type] as Deno.NativeType
      ),
      result: denoTypes[signature.result],
    },
    call,
  );
  return {
    address: Deno.UnsafePointer.value(native.pointer),
    close: () => native.close(),
  };
}

/** An environment variable, if it is set and may be read without asking. */
export function environment(name: string): string | undefined {
  const permission = { name: "env", variable: name } as const;
  return Deno.permissions.querySync(permission).state === "granted"
    ? Deno.env.get(name)
    : undefined;
}

/** Whether a failure of {@linkcode open} is the runtime's own refusal. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Deno.errors.NotCapable;
}

/** A command that runs a module as a program, with all rights. */
export function commandFor(module: string): string[] {
  // Without configuration: that of the current folder is not its business.
  const options = ["--quiet", "--no-config", "--no-lock", "--allow-all"];
  return [Deno.execPath(), "run", ...options, module];
}

/** The machine this runs on, for choosing paths and machine code. */
export const machine: { os: string; arch: string } = {
  os: Deno.build.os,
  arch: Deno.build.arch,
};
