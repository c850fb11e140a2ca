import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { isolate, type Isolated } from "../testing/isolation.ts";
import { decode, type PlaceProcess } from "../testing/place.ts";
import { namesIn, until } from "./support.ts";

const PROGRAM = fileURLToPath(import.meta.resolve("../testing/mod.ts"));
const CLI = [Deno.execPath(), "run", "--no-config", "-A", PROGRAM];

/** A place without corosync, where this process is root, whoever it is here. */
function emptyPlace(): Promise<Isolated> {
  return isolate(["user-namespaces", "namespaces"]);
}

const place = await emptyPlace().catch((error: Error) => error.message);
if (typeof place === "string") {
  console.log(`Skipping tests of the command line: ${place}`);
} else {
  await place.end();
  if (place.isolation !== "user-namespaces") {
    console.log("Skipping tests that need user namespaces: not allowed here");
  }
}

function test(name: string, body: () => Promise<void>): void {
  const ignore = typeof place === "string";
  Deno.test({ name: `testing: ${name}`, ignore, fn: body });
}

/** A test that changes limits, which must be those of a user namespace. */
function testInUserNamespace(name: string, body: () => Promise<void>): void {
  const ignore = typeof place === "string" ||
    place.isolation !== "user-namespaces";
  Deno.test({ name: `testing: ${name}`, ignore, fn: body });
}

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs the command line to its end in an empty place, or one prepared. */
async function run(
  args: string[],
  { prefix = [], input = "", env }: {
    prefix?: string[];
    input?: string;
    env?: Record<string, string>;
  } = {},
): Promise<Outcome> {
  await using outer = await emptyPlace();
  const { child } = outer.place.spawn([...prefix, ...CLI, ...args], {
    env,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input)).catch(() => {});
  await writer.close().catch(() => {});
  const { code, stdout, stderr } = await child.output();
  return { code, stdout: decode(stdout), stderr: decode(stderr) };
}

test("the command's exit status, output and arguments are passed", async () => {
  const script = 'cat; printf "%s|" "$@"; pwd; exit 7';
  const outcome = await run(
    ["sh", "-c", script, "sh", "a b", "", "$HOME", "--help"],
    { input: "typed\n" },
  );
  assertEquals(outcome, {
    code: 7,
    stdout: `typed\na b||$HOME|--help|${Deno.cwd()}\n`,
    stderr: "",
  });
});

for (
  const [args, code, message] of [
    [["sh", "-c", "kill -TERM $$"], 143, /^$/],
    [["no-such-command"], 127, /no-such-command: not found/],
    [[], 125, /^error: No command given/],
    [["--wrong", "true"], 125, /^error: Unknown option --wrong/],
    [["--isolation", "jail", "true"], 125, /^error: .* not jail/],
    [["--nodes", "many", "true"], 125, /^error: .* 1 to 254 nodes, not NaN/],
  ] as const
) {
  test(`exit status ${code} of ${JSON.stringify(args)}`, async () => {
    // Where the path has a folder that is not to be read, a shell does not say
    // that a command is not found.
    const outcome = await run([...args], { env: { PATH: "/usr/bin:/bin" } });
    assertMatch(outcome.stderr, message);
    assertEquals(outcome.code, code);
  });
}

test("the command has a cluster around it", async () => {
  const program = `
    import { Cluster, CorosyncNode } from "${
    import.meta.resolve("../testing/mod.ts")
  }";
    const { ring } = await Cluster.ambient().nodes[2].view();
    console.log(CorosyncNode.ambient().id, ring);
  `;
  const command = [Deno.execPath(), "eval", "--no-config", program];
  const outcome = await run(["--nodes", "3", "--", ...command]);
  assertEquals(outcome, { code: 0, stdout: "1 [ 1, 2, 3 ]\n", stderr: "" });
});

function temporaryFolder(): Disposable & { path: string } {
  const path = Deno.makeTempDirSync();
  const remove = () => Deno.removeSync(path, { recursive: true });
  return { path, [Symbol.dispose]: remove };
}

/** The processes that have `variable` in their environment, and what they run. */
async function processesWith(variable: string): Promise<Map<number, string>> {
  const found = new Map<number, string>();
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const environ = await Deno.readTextFile(`/proc/${name}/environ`);
      if (!environ.split("\0").includes(variable)) continue;
      const line = await Deno.readTextFile(`/proc/${name}/cmdline`);
      found.set(Number(name), line.replaceAll("\0", " "));
    } catch {
      // It has ended meanwhile, or belongs to somebody else.
    }
  }
  return found;
}

/** What is done to a run, and the exit status that it then has. */
interface Ending {
  name: string;
  end: (run: PlaceProcess, variable: string) => Promise<void>;
  code: number;
}

async function finish({ child }: PlaceProcess): Promise<void> {
  await child.stdin.close();
}

/** Signals the one process of the run whose command line matches. */
async function signal(
  variable: string,
  pattern: RegExp,
  name: Deno.Signal = "SIGKILL",
): Promise<void> {
  const processes = [...await processesWith(variable)];
  const matching = processes.filter(([, line]) => pattern.test(line));
  assertEquals(matching.length, 1, JSON.stringify(processes));
  Deno.kill(matching[0][0], name);
}

const ENDINGS: Ending[] = [
  { name: "an end of its own", end: finish, code: 3 },
  { name: "kill -9 of deno", end: (run) => run.kill("SIGKILL"), code: 137 },
  {
    name: "kill -9 of the command's parent",
    end: (_, variable) => signal(variable, /sh -c trap : (?!.*mod\.ts)/s),
    code: 137,
  },
];

/** The kernel ends what is in the namespaces. */
const NAMESPACE_ENDINGS: Ending[] = [
  ...ENDINGS,
  { name: "SIGTERM", end: (run) => run.kill("SIGTERM"), code: 143 },
  { name: "SIGINT", end: (run) => run.kill("SIGINT"), code: 130 },
  {
    name: "kill -9 of the anchor",
    end: (_, variable) => signal(variable, /^sh -c set -e/),
    code: 137,
  },
  {
    name: "kill -9 of the anchor's parent",
    end: async (run, variable) => {
      await signal(variable, /^unshare /);
      await finish(run);
    },
    code: 3,
  },
];

/** Without namespaces, a script does. */
const IN_PLACE_ENDINGS: Ending[] = [
  ...ENDINGS,
  {
    name: "kill -9 of the anchor",
    end: async (run, variable) => {
      await signal(variable, /^sh -c trap ''/);
      await finish(run);
    },
    code: 3,
  },
  {
    name: "kill -9 of corosync",
    end: async (run, variable) => {
      await signal(variable, /corosync -f /);
      await finish(run);
    },
    code: 3,
  },
  {
    name: "a freeze of corosync",
    end: async (run, variable) => {
      await signal(variable, /corosync -f /, "SIGSTOP");
      await finish(run);
    },
    code: 3,
  },
];

for (
  const [way, endings, ...options] of [
    ["namespaces", ENDINGS.slice(0, 1)], // ends as user namespaces do
    ["user-namespaces", NAMESPACE_ENDINGS],
    ["user-namespaces", ENDINGS.slice(0, 2), "--nodes", "3"],
    ["in-place", IN_PLACE_ENDINGS],
  ] as const
) {
  for (const { name, end, code } of endings) {
    const define = way === "user-namespaces" ? testInUserNamespace : test;
    const what = [way, ...options].join(" ");
    define(`nothing is left of ${what} after ${name}`, async () => {
      await using outer = await emptyPlace();
      using temporary = temporaryFolder();
      const id = crypto.randomUUID();
      const variable = `TESTING_RUN=${id}`;
      // Stragglers do not get away, not even in a session of their own.
      const script = "sleep 600 & setsid sleep 600 &" +
        ": >/dev/shm/corosync_zerocopy-ours; echo ready; read -r line; exit 3";
      const root = outer.place.root;
      Deno.writeTextFileSync(`${root}/dev/shm/corosync_zerocopy-others`, "");
      const run = outer.place.spawn(
        [...CLI, "--isolation", way, ...options, "--", "sh", "-c", script],
        {
          env: { TESTING_RUN: id, TMPDIR: temporary.path },
          stdin: "piped",
          stdout: "piped",
        },
      );
      const output = run.child.stdout.getReader();
      assertEquals(decode((await output.read()).value!), "ready\n");
      await end(run, variable);

      assertEquals((await run.status).code, code);
      await until("no process is left", async () => {
        return (await processesWith(variable)).size === 0;
      });
      assertEquals(namesIn(`${root}/dev/shm`), ["corosync_zerocopy-others"]);
      assertEquals(namesIn(`${root}/run`), [basename(outer.folder)]);
      assertEquals(namesIn(temporary.path), []);
      await output.cancel();
      await run.child.stdin.close().catch(() => {});
    });
  }
}

test("Ctrl-C reaches the command once, and the command decides", async () => {
  await using outer = await emptyPlace();
  // Says how many there were when it is told to end.
  const script = `n=0; trap 'n=$((n+1)); echo caught' INT; echo ready
    until read -r line; do :; done; echo "caught $n"; exit 9`;
  const command = ["exec", ...CLI, "--", "sh", "-c", script].map((word) =>
    `'${word.replaceAll("'", `'\\''`)}'`
  ).join(" ");
  // script(1) runs it at a terminal of its own.
  const run = outer.place.spawn(
    ["script", "--quiet", "--return", "--command", command, "/dev/null"],
    { stdin: "piped", stdout: "piped" },
  );
  const input = run.child.stdin.getWriter();
  let output = "";
  const reading = (async () => {
    for await (const chunk of run.child.stdout) output += decode(chunk);
  })();
  const type = (text: string) => input.write(new TextEncoder().encode(text));
  await until("the command runs", () => output.includes("ready"));
  await type("\x03");
  await until("the command has the signal", () => output.includes("caught"));
  await type("done\n");
  assertEquals((await run.status).code, 9, output);
  await reading;
  assertStringIncludes(output, "caught 1");
  await input.close().catch(() => {});
});

/** Shows where corosync runs: the folder is a temporary one if in place. */
const PRINT_FOLDER = ["sh", "-c", 'echo "$COROSYNC_TESTING"'];
/** Forbids user namespaces from here on, as an administrator can. */
const FORBID = 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"';
/** Takes the right to make namespaces of any other kind. */
const POWERLESS = [
  "setpriv",
  "--bounding-set=-sys_admin",
  "--inh-caps=-sys_admin",
];

testInUserNamespace(
  "without user namespaces, root uses plain ones",
  async () => {
    const outcome = await run(PRINT_FOLDER, {
      prefix: ["sh", "-c", FORBID, "sh"],
    });
    assertEquals(outcome.code, 0, outcome.stderr);
    assertEquals(outcome.stdout, "/run/corosync-testing\n");
  },
);

testInUserNamespace(
  "without any namespaces, root starts corosync in place",
  async () => {
    const outcome = await run(PRINT_FOLDER, {
      prefix: ["sh", "-c", FORBID, "sh", ...POWERLESS],
      env: { TMPDIR: "/tmp" },
    });
    assertEquals(outcome.code, 0, outcome.stderr);
    assertMatch(outcome.stdout, /^\/tmp\/corosync-testing\.\w+\n$/);
  },
);

testInUserNamespace(
  "without anything that works, it says why and what to do",
  async () => {
    const inner = [...POWERLESS, ...CLI, "--", "true"];
    const outcome = await run(["sh", "-c", FORBID, "sh", ...inner]);
    assertEquals(outcome.code, 125);
    assertMatch(outcome.stderr, / namespaces: unshare: .*not permitted/i);
    assertMatch(
      outcome.stderr,
      / user-namespaces: unshare: .*[Nn]o space left/,
    );
    assertMatch(
      outcome.stderr,
      / in-place: a corosync is running here already/,
    );
    assertMatch(outcome.stderr, /user\.max_user_namespaces=\d+ .*now: 0\)/);
    assertMatch(
      outcome.stderr,
      /kernel\.apparmor_restrict_unprivileged_userns=0/,
    );
    assertMatch(outcome.stderr, /kernel\.unprivileged_userns_clone=1/);
    assertMatch(outcome.stderr, /--cap-add SYS_ADMIN/);
  },
);

testInUserNamespace(
  "an ordinary user without user namespaces is told so",
  async () => {
    // One level of user namespaces makes an ordinary user; a second is refused.
    const script = 'echo 1 >/proc/sys/user/max_user_namespaces; exec "$@"';
    const outcome = await run(["true"], {
      prefix: ["sh", "-c", script, "sh", "unshare", "--map-user=1000"],
    });
    assertEquals(outcome.code, 125);
    assertMatch(outcome.stderr, / namespaces: this way is for root only/);
    assertMatch(
      outcome.stderr,
      / user-namespaces: unshare: .*[Nn]o space left/,
    );
    assertMatch(outcome.stderr, / in-place: this way is for root only/);
  },
);

test("without util-linux, it says what is missing", async () => {
  // A fetched corosync is looked at by a shell, which there has to be.
  const folder = await Deno.makeTempDir();
  try {
    await Deno.symlink("/bin/sh", `${folder}/sh`);
    const outcome = await run(["true"], { prefix: ["env", `PATH=${folder}`] });
    assertEquals(outcome.code, 125);
    assertStringIncludes(outcome.stderr, "install util-linux");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
