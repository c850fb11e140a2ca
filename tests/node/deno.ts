/**
 * As much of the global `Deno` as the tests and examples use, for Node and
 * Bun. Loaded before everything else.
 */
import { spawn, spawnSync, type StdioOptions } from "node:child_process";
import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import process from "node:process";
import { PassThrough, pipeline, Readable, Writable } from "node:stream";
import { promisify } from "node:util";
import { TestWorker } from "./worker.ts";

interface Test {
  name: string;
  fn: () => void | Promise<void>;
  ignore?: boolean;
}

/** The tests defined so far. */
export const tests: Test[] = [];

type Stdio = "piped" | "inherit" | "null";

interface CommandOptions {
  args?: string[];
  cwd?: string | URL;
  env?: Record<string, string>;
  clearEnv?: boolean;
  stdin?: Stdio;
  stdout?: Stdio;
  stderr?: Stdio;
}

function status(code: number | null, signal: NodeJS.Signals | null) {
  const exit = code ?? 128 + os.constants.signals[signal!];
  return { success: exit === 0, code: exit, signal };
}

class Command {
  readonly #program: string;
  readonly #options: CommandOptions;

  constructor(program: string, options: CommandOptions = {}) {
    this.#program = program;
    this.#options = options;
  }

  #spawnOptions(usual: Stdio) {
    const { cwd, env, clearEnv, stdin, stdout, stderr } = this.#options;
    return {
      cwd,
      env: clearEnv ? env : { ...process.env, ...env },
      stdio: [stdin ?? (usual === "piped" ? "null" : usual), stdout, stderr]
        .map((way = usual) =>
          way === "piped" ? "pipe" : way === "null" ? "ignore" : way
        ) as StdioOptions,
    };
  }

  #start(usual: Stdio) {
    const { args = [] } = this.#options;
    const child = spawn(this.#program, args, this.#spawnOptions(usual));
    const ended = new Promise<ReturnType<typeof status>>((resolve, reject) => {
      child.on("error", reject);
      child.on("exit", (...how) => resolve(status(...how)));
    });
    // Node drops what is not read before the process has ended.
    const [stdout, stderr] = [child.stdout, child.stderr].map((stream) =>
      stream && pipeline(stream, new PassThrough(), () => {})
    );
    const collect = async (stream: Readable | null) => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of stream ?? []) chunks.push(chunk);
      return new Uint8Array(Buffer.concat(chunks));
    };
    const web: Record<string, unknown> = {};
    const stream = (name: "stdin" | "stdout" | "stderr") =>
      web[name] ??= name === "stdin"
        ? Writable.toWeb(child.stdin!)
        : Readable.toWeb((name === "stdout" ? stdout : stderr)!);
    return {
      pid: child.pid,
      status: ended,
      get stdin() {
        return stream("stdin");
      },
      get stdout() {
        return stream("stdout");
      },
      get stderr() {
        return stream("stderr");
      },
      kill: (signal: NodeJS.Signals = "SIGTERM") => child.kill(signal),
      ref: () => child.ref(),
      unref: () => child.unref(),
      async output() {
        const outputs = await Promise.all([collect(stdout), collect(stderr)]);
        return { ...await ended, stdout: outputs[0], stderr: outputs[1] };
      },
    };
  }

  spawn() {
    return this.#start("inherit");
  }

  output() {
    return this.#start("piped").output();
  }

  outputSync() {
    const { args } = this.#options;
    const result = spawnSync(this.#program, args, this.#spawnOptions("piped"));
    if (result.error) throw result.error;
    const { stdout, stderr } = result;
    return { ...status(result.status, result.signal), stdout, stderr };
  }
}

function connection(socket: net.Socket) {
  const chunks: AsyncIterator<Uint8Array> = socket[Symbol.asyncIterator]();
  return {
    /** For a sender that waits until each chunk is read. */
    async read(bytes: Uint8Array): Promise<number | null> {
      const { value, done } = await chunks.next();
      if (done) return null;
      bytes.set(value);
      return value.length;
    },
    write: (bytes: Uint8Array) =>
      new Promise<number>((resolve, reject) =>
        socket.write(
          bytes,
          (error) => error ? reject(error) : resolve(bytes.length),
        )
      ),
    close: () => void socket.destroy(),
  };
}

function listen({ port }: { port: number }) {
  const server = net.createServer();
  const accepted = new Promise<net.Socket>((resolve) =>
    server.once("connection", resolve)
  );
  // With an address to listen at, the port would not be there at once.
  server.listen(port);
  return {
    addr: server.address(),
    accept: async () => connection(await accepted),
    [Symbol.dispose]: () => void server.close(),
  };
}

function connect(options: { hostname: string; port: number }) {
  const socket = net.connect(options.port, options.hostname);
  return new Promise((resolve, reject) => {
    socket.once("connect", () => resolve(connection(socket)));
    socket.once("error", reject);
  });
}

class NotFound extends Error {
  static override [Symbol.hasInstance](error: unknown): boolean {
    return (error as NodeJS.ErrnoException)?.code === "ENOENT";
  }
}

interface TempOptions {
  prefix?: string;
  suffix?: string;
}

function makeTempFileSync({ suffix = "" }: TempOptions = {}): string {
  const path = `${os.tmpdir()}/${crypto.randomUUID()}${suffix}`;
  fs.writeFileSync(path, "", { flag: "wx" });
  return path;
}

const entries = (folder: string | URL) =>
  fs.readdirSync(folder, { withFileTypes: true }).map((entry) => ({
    name: entry.name,
    isFile: entry.isFile(),
    isDirectory: entry.isDirectory(),
    isSymlink: entry.isSymbolicLink(),
  }));

const asynchronous = <A extends unknown[], R>(call: (...args: A) => R) =>
// deno-lint-ignore require-await
async (...args: A) => call(...args);

const makeTempDirSync = () => fs.mkdtempSync(`${os.tmpdir()}/test-`);
const readFileSync = (path: string | URL) =>
  new Uint8Array(fs.readFileSync(path));
const readTextFileSync = (path: string | URL) => fs.readFileSync(path, "utf8");
const removeSync = (path: string, options?: { recursive: boolean }) =>
  fs.rmSync(path, options);
const lstatSync = (path: string | URL) => fs.lstatSync(path);
const statSync = (path: string | URL) => {
  const stat = fs.statSync(path);
  return { size: stat.size, isFile: stat.isFile() };
};

export const Deno = {
  args: [] as string[],
  pid: process.pid,
  build: { os: process.platform, arch: os.machine() },
  env: {
    get: (name: string) => process.env[name],
    set: (name: string, value: string) => process.env[name] = value,
    delete: (name: string) => delete process.env[name],
  },
  errors: { NotFound },
  Command,
  connect,
  listen,
  cwd: process.cwd,
  exit: process.exit,
  set exitCode(code: number) {
    process.exitCode = code;
  },
  /** A stand-in for the program `deno`: see `run.ts`. */
  execPath: () => process.env.DENO_STAND_IN!,
  kill: process.kill,
  memoryUsage: process.memoryUsage,
  uid: process.getuid,
  lstat: asynchronous(lstatSync),
  makeTempDir: asynchronous(makeTempDirSync),
  makeTempDirSync,
  makeTempFile: asynchronous(makeTempFileSync),
  makeTempFileSync,
  mkdir: asynchronous(fs.mkdirSync),
  mkdirSync: fs.mkdirSync,
  async open(path: string | URL) {
    const file = await fs.promises.open(path);
    return {
      read: async (bytes: Uint8Array) =>
        (await file.read(bytes)).bytesRead || null,
      [Symbol.dispose]: () => void file.close(),
    };
  },
  openSync(path: string, { write }: { write?: boolean } = {}) {
    const fd = fs.openSync(path, write ? "r+" : "r");
    return {
      read: async (bytes: Uint8Array) =>
        (await promisify(fs.read)(fd, bytes, 0, bytes.length, null))
          .bytesRead || null,
      write: asynchronous((bytes: Uint8Array) => fs.writeSync(fd, bytes)),
      close: () => fs.closeSync(fd),
    };
  },
  async *readDir(folder: string) {
    yield* entries(folder);
  },
  readDirSync: entries,
  readFile: asynchronous(readFileSync),
  readFileSync,
  readTextFile: asynchronous(readTextFileSync),
  readTextFileSync,
  remove: asynchronous(removeSync),
  removeSync,
  stat: asynchronous(statSync),
  statSync,
  writeFile: asynchronous(fs.writeFileSync),
  writeFileSync: fs.writeFileSync,
  writeTextFile: asynchronous(fs.writeFileSync),
  writeTextFileSync: fs.writeFileSync,
  test(what: string | Test, fn?: Test["fn"]) {
    tests.push(typeof what === "string" ? { name: what, fn: fn! } : what);
  },
};

Object.assign(globalThis, { Deno, Worker: TestWorker, self: globalThis });

// What the tests and examples use, and older ones lack. The package must not
// need it: it is compiled without.
Array.fromAsync ??= async (
  items: AsyncIterable<unknown>,
  // deno-lint-ignore no-explicit-any
  map: (item: any, index: number) => unknown = (item) => item,
  // deno-lint-ignore no-explicit-any
): Promise<any[]> => {
  const array: unknown[] = [];
  for await (const item of items) array.push(map(item, array.length));
  return array;
};
Set.prototype.union ??= function <T, U>(this: Set<T>, other: Set<U>) {
  return new Set<T | U>([...this, ...other]);
};
Uint8Array.fromHex ??= (text) => new Uint8Array(Buffer.from(text, "hex"));
Uint8Array.prototype.toHex ??= function () {
  return Buffer.from(this.buffer, this.byteOffset, this.length).toString("hex");
};
