/**
 * What a member gets to see where the machine has no more to give. Prints what
 * became of each attempt, under the limit and when it is lifted again.
 *
 *   limits.ts shm | descriptors | memory | daemon-descriptors | daemon-memory
 */
import { CpgError, join } from "../../mod.ts";
import { CorosyncNode } from "../../testing/mod.ts";
import { resizing } from "../shm.ts";

const node = CorosyncNode.ambient();
const [limit] = Deno.args;

function run(command: string, ...args: string[]): string {
  const output = new Deno.Command(command, { args }).outputSync();
  const decoder = new TextDecoder();
  if (!output.success) throw new Error(decoder.decode(output.stderr));
  return decoder.decode(output.stdout);
}

/** Sets a soft limit of a process. */
function limited(pid: number, name: string, value: number | "unlimited") {
  run("prlimit", "--pid", String(pid), `--${name}=${value}:`);
}

/** The lowest number that a process has no descriptor of yet. */
function lowestFree(pid: number): number {
  const used = new Set(
    Array.from(Deno.readDirSync(`/proc/${pid}/fd`), ({ name }) => Number(name)),
  );
  let lowest = 0;
  while (used.has(lowest)) lowest++;
  return lowest;
}

/** How much of the address space a process uses, in bytes. */
function addressSpace(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return 1_024 * Number(/VmSize:\s+(\d+)/.exec(status)![1]);
}

const lost = Promise.withResolvers<void>();
const group = await join("limits", { reconnect: true });
(async () => {
  for await (const event of group) {
    if (event.type === "disconnected") lost.resolve();
  }
})();

async function attempt(what: string, doing: () => Promise<unknown>) {
  const outcome = await doing().then(
    () => "ok",
    (error) => error instanceof CpgError ? error.code : error,
  );
  console.log(`${what}: ${outcome}`);
}

const attempts: Record<string, () => Promise<unknown>> = {
  join: async () => await (await join("another")).leave(),
  send: () => group.sendAndConfirm(new Uint8Array(1_000)),
  // libqb may close it where it fails to connect.
  stdin: () => Deno.lstat("/proc/self/fd/0"),
  alloc: async () => {
    using buffer = await group.alloc(200_000);
    await group.sendAndConfirm(buffer);
  },
  "large alloc": async () => {
    using buffer = await group.alloc(300_000_000);
    await group.sendAndConfirm(buffer, { length: 1_000 });
  },
};

async function all(...names: string[]) {
  for (const name of names) await attempt(name, attempts[name]);
}

if (limit === "shm") {
  const ballast = "/dev/shm/ballast";
  using unwritten = await group.alloc(5_000);
  using written = await group.alloc(5_000);
  attempts.unwritten = () => group.sendAndConfirm(unwritten);
  attempts.written = () => {
    written.bytes.fill(1);
    return group.sendAndConfirm(written);
  };
  const [mount, ...args] = resizing("100m");
  run(mount, ...args);
  const free = run("df", "-B1", "--output=avail", "/dev/shm").split("\n")[1];
  run("fallocate", "-l", free, ballast);
  await all("send", "unwritten", "written", "join", "alloc");
  Deno.removeSync(ballast);
  await all("send", "join", "alloc");
} else if (limit === "descriptors") {
  // As many as a runtime takes to start a process.
  limited(Deno.pid, "nofile", lowestFree(Deno.pid) + 20);
  const held: Deno.FsFile[] = [];
  try {
    for (;;) held.push(Deno.openSync("/dev/null"));
  } catch {
    // None is left.
  }
  await all("send", "join", "stdin", "alloc");
  for (const file of held) file.close();
  limited(Deno.pid, "nofile", 1_000);
  await all("send", "join", "alloc");
} else if (limit === "memory") {
  // The runtime, too, must have some, or it ends the process.
  limited(Deno.pid, "as", addressSpace(Deno.pid) + 150_000_000);
  await all("send", "large alloc");
  limited(Deno.pid, "as", "unlimited");
  await all("send", "large alloc");
} else if (limit === "daemon-descriptors") {
  const pid = node.pid!;
  // One, so that it can accept a connection, but not set it up.
  limited(pid, "nofile", lowestFree(pid) + 1);
  await all("send", "join", "alloc");
  limited(pid, "nofile", 1_000);
  await all("send", "join", "alloc");
} else if (limit === "daemon-memory") {
  const pid = node.pid!;
  limited(pid, "as", addressSpace(pid) + 4_000_000);
  await all("large alloc");
  // corosync 3.1 does not survive that, and comes back as it was.
  await lost.promise;
  await node.start();
  await all("send", "join", "large alloc");
}
await group.leave();
