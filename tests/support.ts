/** What the tests share. */
import {
  type Group,
  type GroupEvent,
  join as joinGroup,
  type JoinOptions,
} from "../mod.ts";

/** How long anything may take before a test gives up, in milliseconds. */
const BOUND = 20_000;

/** Each test file counts for itself, in one and the same process. */
const names = `test-${crypto.randomUUID()}`;

/** Whether this is Deno itself, and not another runtime with a stand-in. */
export const onDeno: boolean = "version" in Deno;

/** Whether this is Bun. */
export const onBun: boolean = "Bun" in globalThis;

/** Has the garbage collector run, or makes it likely. */
export function nudgeCollector(): void {
  const { Bun } = globalThis as { Bun?: { gc(synchronous: boolean): void } };
  if (Bun) Bun.gc(true);
  else new ArrayBuffer(2 ** 28);
}

/** Whether freeing empties views: Node 20 keeps the memory for them instead. */
export const detaches: boolean = "transfer" in ArrayBuffer.prototype;

/** Checks that a freed buffer's view is empty, or else that it is safe. */
export function checkFreed(view: Uint8Array): void {
  if (!detaches) {
    // Memory that is not mapped would end the process.
    view.fill(view[0]);
  } else if (view.length > 0) {
    throw new Error("A view outlives its buffer");
  }
}

/** A test of what only Deno has. */
export function denoTest(name: string, fn: () => Promise<void>): void {
  if (!onDeno) console.log(`Skipped, since it is about Deno: ${name}`);
  Deno.test({ name, fn, ignore: !onDeno });
}

/** How many descriptors this process has. */
export function descriptors(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

/** The names in a folder, in order. */
export function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).toSorted();
}

/** Whether no descriptors are left but those of before. */
export function noMoreThan(before: number): boolean {
  // Node and Bun may have opened some of their own since.
  return descriptors() <= before + (onDeno ? 0 : 4);
}

let groups = 0;

/** A group name that no other test uses. */
export function freshName(): string {
  return `${names}-${groups++}`;
}

let receiving: JoinOptions["receiving"];

/** Has groups that are joined from here on receive in a certain way. */
export function receiveBy(way: JoinOptions["receiving"]): void {
  receiving = way;
}

/** Joins a group. */
export function join(
  name: string | Uint8Array,
  options?: JoinOptions,
): Promise<Group> {
  return joinGroup(name, { receiving, ...options });
}

/** Joins a group of its own. */
export function joinFresh(options?: JoinOptions): Promise<Group> {
  return join(freshName(), options);
}

/** The outcome of a promise, or an error that says what did not happen. */
export async function within<T>(
  what: string,
  promise: Promise<T>,
  bound = BOUND,
): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`Not within ${bound} ms: ${what}`)),
    bound,
  );
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits until a condition holds. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  bound = BOUND,
): Promise<void> {
  const end = Date.now() + bound;
  while (!await condition()) {
    if (Date.now() > end) throw new Error(`Not within ${bound} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Reads the next `count` messages of a group. */
export function messages(
  group: Group,
  count: number,
): Promise<Uint8Array<ArrayBuffer>[]> {
  return within(
    `${count} messages`,
    (async () => {
      const data: Uint8Array<ArrayBuffer>[] = [];
      for await (const event of group) {
        if (event.type === "message") data.push(event.data);
        if (data.length === count) return data;
      }
      throw new Error(`The stream ended after ${data.length} messages`);
    })(),
  );
}

/** Reads a group's stream up to the first event that satisfies. */
export function eventWhere(
  group: Group,
  what: string,
  satisfies: (event: GroupEvent) => boolean,
): Promise<GroupEvent> {
  return within(
    what,
    (async () => {
      for await (const event of group) if (satisfies(event)) return event;
      throw new Error(`The stream ended before ${what}`);
    })(),
  );
}

/** Bytes that tell their place, so that any disorder shows. */
export function pattern(size: number, seed = 0): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = (i * 31 + (i >> 8) + seed) & 0xff;
  return bytes;
}

/** Text as bytes. */
export function text(value: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(value);
}

/** The outcome of a program. */
export interface Outcome {
  code: number;
  signal: string | null;
  stdout: string;
  stderr: string;
}

/** Runs a command to its end. */
export async function run(
  command: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<Outcome> {
  const { code, signal, stdout, stderr } = await new Deno.Command(command, {
    args,
    env,
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return {
    code,
    signal,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}

/** Arguments that run a program with only the right to load libcpg. */
export const ffiOnly = [
  "run",
  "--quiet",
  "--no-prompt",
  "--allow-ffi",
  "--allow-env=CPG_LIBRARY",
];

/** Runs a TypeScript program, given as text, under default flags. */
export async function script(
  source: string,
  options: {
    args?: string[];
    env?: Record<string, string>;
    /** The program's own arguments. */
    extra?: string[];
    /** A command that runs the rest of its arguments as one. */
    command?: string[];
  } = {},
): Promise<Outcome> {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    const mod = new URL("../mod.ts", import.meta.url).href;
    await Deno.writeTextFile(file, source.replaceAll("@corosync/cpg", mod));
    const [command, ...args] = [
      ...(options.command ?? []),
      Deno.execPath(),
      ...(options.args ?? ffiOnly),
      file,
      ...(options.extra ?? []),
    ];
    return await run(command, args, options.env);
  } finally {
    await Deno.remove(file);
  }
}
