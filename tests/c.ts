/** Building the tests' C programs and libraries. */
import { basename } from "node:path";
import { run } from "./support.ts";

/** Whether there is a C compiler. */
export const hasCompiler = await (async () => {
  try {
    return (await run("cc", ["--version"])).code === 0;
  } catch {
    return false;
  }
})();

/** A test that needs a C compiler, or says that there is none. */
export function testWithC(name: string, test: () => Promise<void>): void {
  if (!hasCompiler) {
    console.log(`Skipped, since there is no C compiler (cc): ${name}`);
  }
  Deno.test({
    name,
    fn: test,
    ignore: !hasCompiler,
    // A library that a test has built and loaded is never unloaded.
    sanitizeResources: false,
  });
}

/** What a C source is built to. */
export interface Built extends AsyncDisposable {
  /** The program, or the library. */
  readonly path: string;
  /** A temporary folder around it. */
  readonly folder: string;
}

/** Compiles a file, whose name is relative to `tests/c`. */
async function build(source: string, args: string[]): Promise<Built> {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/${basename(source, ".c")}`;
  const file = new URL(`c/${source}`, import.meta.url).pathname;
  const all = ["-O2", "-Wall", "-o", path, file, ...args];
  const { code, stderr } = await run("cc", all);
  if (code !== 0) throw new Error(`cc ${all.join(" ")}: ${stderr}`);
  return {
    path,
    folder,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

/** The file of the libcpg that this process has loaded. */
export function libcpgFile(): string {
  const maps = Deno.readTextFileSync("/proc/self/maps");
  const file = /\S*\/libcpg\.so\.4\S*/.exec(maps)?.[0];
  if (!file) throw new Error("libcpg is not loaded");
  return file;
}

/** Builds a program that is linked against libcpg. */
export function program(source: string, args: string[] = []): Promise<Built> {
  const libcpg = libcpgFile();
  const folder = libcpg.slice(0, libcpg.lastIndexOf("/"));
  return build(source, [
    libcpg,
    `-Wl,-rpath,${folder}`,
    // What libcpg itself needs lies beside it, or where the loader looks.
    "-Wl,--allow-shlib-undefined",
    ...args,
  ]);
}

/** Builds a library that takes the place of libcpg. */
export function library(source: string): Promise<Built> {
  // libc is to be found through it, whether it calls libc or not.
  return build(source, ["-shared", "-fPIC", "-Wl,--no-as-needed", "-lc"]);
}

/**
 * Builds a library that is libcpg but for the functions that the source
 * defines.
 */
export function variant(source: string): Promise<Built> {
  return build(source, [
    "-shared",
    "-fPIC",
    "-Wl,--no-as-needed",
    libcpgFile(),
    "-Wl,--allow-shlib-undefined",
  ]);
}
