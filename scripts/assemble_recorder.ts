/**
 * Assembles native/recorder/recorder_*.s and writes native/recorder/code.ts.
 *
 *     deno run --allow-read --allow-write --allow-run \
 *       scripts/assemble_recorder.ts [--check]
 *
 * It needs GNU binutils for each processor (Debian: binutils and
 * binutils-aarch64-linux-gnu). Where one of them is missing, the bytes of that
 * processor stay what they are. With `--check` nothing is written, and the
 * exit status is 1 if code.ts is not what the sources give.
 */
import { fileURLToPath } from "node:url";
import { type RecorderCode, recorders } from "../native/recorder/code.ts";

type Arch = keyof typeof recorders;

const folder = new URL("../native/recorder/", import.meta.url);

/**
 * What the names of the binutils for a processor begin with on this machine,
 * or `undefined` where there are none.
 */
export async function toolPrefix(arch: Arch): Promise<string | undefined> {
  const assemblers = [`${arch}-linux-gnu-as`];
  if (Deno.build.os === "linux" && Deno.build.arch === arch) {
    assemblers.push("as");
  }
  return (await firstPresent(assemblers))?.slice(0, -"as".length);
}

/** What an assembler makes of a source. */
export interface Assembled {
  readonly bytes: Uint8Array;
  /** Where a label of the source is, in bytes from the beginning. */
  offset(label: string): number;
}

/** Assembles a source with the tools of that prefix. */
export async function assembleFile(
  source: URL,
  prefix: string,
): Promise<Assembled> {
  const directory = await Deno.makeTempDir();
  try {
    const object = `${directory}/code.o`;
    const binary = `${directory}/code.bin`;
    await run(`${prefix}as`, "-o", object, fileURLToPath(source));
    const flags = ["--output-target=binary", "--only-section=.text"];
    await run(`${prefix}objcopy`, ...flags, object, binary);
    const labels = new Map<string, number>();
    const listing = await run(`${prefix}nm`, object);
    for (const [, at, name] of listing.matchAll(/^(\w+) t (\w+)$/gm)) {
      labels.set(name, parseInt(at, 16));
    }
    return {
      bytes: await Deno.readFile(binary),
      offset: (label) => {
        const found = labels.get(label);
        if (found !== undefined) return found;
        throw new Error(`${source.pathname}: no label ${label}`);
      },
    };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Assembles the recorder for a processor with the tools of that prefix. */
export async function assemble(
  arch: Arch,
  prefix: string,
): Promise<RecorderCode> {
  const source = new URL(`recorder_${arch}.s`, folder);
  const { bytes, offset } = await assembleFile(source, prefix);
  return {
    bytes,
    slot: offset("state"),
    deliver: offset("deliver"),
    confchg: offset("confchg"),
    totemConfchg: offset("totem_confchg"),
    drain: offset("drain"),
  };
}

/** The text of code.ts for these bytes. */
export function render(codes: Record<Arch, RecorderCode>): string {
  return `\
// Written by scripts/assemble_recorder.ts from the assembler sources beside it.

/**
 * Machine code that writes down the events of \`cpg_dispatch\`. The sources
 * say what it does and how its memory is laid out.
 */
export interface RecorderCode {
  /** The code. Runs at any address that is a multiple of 8. */
  readonly bytes: Uint8Array;
  /** Offset of the 64-bit word that is to hold the state block's address. */
  readonly slot: number;
  /** Offset of the function for \`cpg_deliver_fn\`. */
  readonly deliver: number;
  /** Offset of the function for \`cpg_confchg_fn\`. */
  readonly confchg: number;
  /** Offset of the function for \`cpg_totem_confchg_fn\`. */
  readonly totemConfchg: number;
  /** Offset of the function that takes events. */
  readonly drain: number;
}

/** The recorder for each processor that has one, by \`Deno.build.arch\`. */
export const recorders: Record<"x86_64" | "aarch64", RecorderCode> = {
${renderCode("x86_64", codes.x86_64)}
${renderCode("aarch64", codes.aarch64)}
};

/** The bytes that a text says in hexadecimal. */
export function fromHex(text: string): Uint8Array {
  const pairs = text.match(/[0-9a-f]{2}/g) ?? [];
  return Uint8Array.from(pairs, (pair) => parseInt(pair, 16));
}
`;
}

function renderCode(arch: Arch, code: RecorderCode): string {
  return `\
  ${arch}: {
    bytes: fromHex(\`
${renderBytes(code.bytes)}
    \`),
    slot: ${code.slot},
    deliver: ${code.deliver},
    confchg: ${code.confchg},
    totemConfchg: ${code.totemConfchg},
    drain: ${code.drain},
  },`;
}

/** Bytes in hexadecimal, as lines of a template. */
export function renderBytes(bytes: Uint8Array): string {
  const hex = Array.from(bytes, (b) => b.toString(16).padStart(2, "0"));
  const words = hex.join("").match(/.{1,8}/g) ?? [];
  const lines: string[] = [];
  for (let i = 0; i < words.length; i += 8) {
    lines.push(`      ${words.slice(i, i + 8).join(" ")}`);
  }
  return lines.join("\n");
}

/** The first of these programs that is there to be started. */
export async function firstPresent(
  programs: string[],
): Promise<string | undefined> {
  for (const program of programs) {
    try {
      await run(program, "--version");
      return program;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return undefined;
}

/** What a program prints. If it fails, it is an error with its complaint. */
export async function run(program: string, ...args: string[]): Promise<string> {
  const command = new Deno.Command(program, { args });
  const { success, code, signal, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  if (!success) {
    const complaint = decoder.decode(stderr);
    throw new Error(`${program}: ${signal ?? `status ${code}`}: ${complaint}`);
  }
  return decoder.decode(stdout);
}

if (import.meta.main) {
  const codes = { ...recorders };
  for (const arch of ["x86_64", "aarch64"] as const) {
    const prefix = await toolPrefix(arch);
    if (prefix !== undefined) codes[arch] = await assemble(arch, prefix);
    else console.warn(`No assembler for ${arch}: its bytes stay as they are.`);
  }
  const file = new URL("code.ts", folder);
  const text = render(codes);
  if (!Deno.args.includes("--check")) {
    await Deno.writeTextFile(file, text);
  } else if (await Deno.readTextFile(file) !== text) {
    console.error("code.ts is not what the sources give: assemble them again.");
    Deno.exit(1);
  }
}
