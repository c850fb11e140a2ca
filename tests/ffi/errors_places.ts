/** Errors of where and by whom a process is run, and of which versions. */
import { assert, assertEquals } from "@std/assert";
import { CsError, openLibcpg } from "../../ffi.ts";
import { openLibcpg as loadLibcpg } from "../../libcpg.ts";
import type { Connection } from "../../connection.ts";
import {
  freeDaemonSide,
  serverAddress,
  unmapContent,
} from "../../zcb_memory.ts";
import { library, program, testWithC, variant } from "../c.ts";
import { crowd } from "../crowd.ts";
import { withRoom } from "../shm.ts";
import { freshName, run } from "../support.ts";
import { Client } from "./client.ts";
import { each, ffiScript, provoke, type Scene } from "./provoke.ts";
import { calls, nameAt, ok, pin } from "./support.ts";

const connects = ["cpg_initialize", "cpg_model_initialize"] as const;

/** Prints what both ways of connecting come to. */
const CONNECT = `
  const handle = pin(new BigUint64Array(1));
  console.log(calls.cpg_initialize(handle, 0n));
  console.log(calls.cpg_model_initialize(handle, 1, 0n, 0n));
  Deno.exit();
`;

/** Takes down the numbers that a program prints, one for each way. */
function sawNumbers({ saw }: Scene, stdout: string, when?: string): void {
  const numbers = stdout.trimEnd().split("\n").map(Number);
  assertEquals(numbers.length, connects.length, stdout);
  connects.forEach((call, i) => saw(call, numbers[i], when));
}

provoke(
  "connecting from another /dev/shm",
  each(connects, "CS_ERR_NOT_EXIST", "/dev/shm"),
  async (scene) => {
    const mount = 'mount -t tmpfs tmpfs /dev/shm && exec "$@"';
    const command = ["unshare", "--mount", "sh", "-c", mount, "sh"];
    const probe = await run(command[0], [...command.slice(1), "true"]);
    if (probe.code !== 0) {
      return scene.skip(`nothing can be mounted here (${probe.stderr.trim()})`);
    }
    const { stdout } = await ffiScript(CONNECT, command);
    sawNumbers(scene, stdout, "/dev/shm");
  },
);

provoke(
  "connecting without a file to open",
  each(connects, "CS_ERR_LIBRARY", "this process can open"),
  async (scene) => {
    const { stdout } = await ffiScript(
      `
      const held = [];
      try {
        for (;;) held.push(Deno.openSync("/dev/null"));
      } catch { /* That is all. */ }
      ${CONNECT}
    `,
      ["sh", "-c", 'ulimit -n 100; exec "$@"', "sh"],
    );
    sawNumbers(scene, stdout, "this process can open");
  },
);

provoke(
  "connecting without room in /dev/shm",
  each(connects, "CS_ERR_NO_SPACE"),
  async (scene) => {
    const why = await withRoom(64e6, () => {
      const handles: bigint[] = [];
      for (const call of connects) {
        const handle = new BigUint64Array(1);
        const connect = () =>
          call === "cpg_initialize"
            ? calls.cpg_initialize(pin(handle), 0n)
            : calls.cpg_model_initialize(pin(handle), 1, 0n, 0n);
        let result: number;
        while ((result = connect()) === CsError.CS_OK) handles.push(handle[0]);
        scene.saw(call, result);
      }
      // A connection takes some 3 MiB of it.
      assert(handles.length > 5 && handles.length < 40, `${handles.length}`);
      for (const handle of handles) ok(calls.cpg_finalize(handle));
      return Promise.resolve();
    });
    if (why) scene.skip(why);
  },
);

provoke(
  "connecting as a user that corosync does not know",
  each(connects, "CS_ERR_ACCESS"),
  async (scene) => {
    await using connect = await program("connect.c");
    await Deno.chmod(connect.folder, 0o755);
    const nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    const { code, stdout, stderr } = await run("setpriv", [
      ...nobody,
      connect.path,
    ]);
    if (code === 0) return sawNumbers(scene, stdout);
    console.log(`Faked: no program runs as another user (${stderr.trim()})`);
    await using refusing = await library("refusing.c");
    const fake = openLibcpg(refusing.path).calls;
    scene.saw("cpg_initialize", fake.cpg_initialize(0n, 0n));
    scene.saw(
      "cpg_model_initialize",
      fake.cpg_model_initialize(0n, 1, 0n, 0n),
    );
  },
  testWithC,
);

provoke("joining with the process id of another", [
  ["cpg_join", "CS_ERR_EXIST", "another container"],
], async ({ saw }) => {
  const group = freshName();
  await using first = await crowd(group, 1);
  const { stderr } = await run(first.path, [group, "1"]);
  saw("cpg_join", Number(/^member 0: (\d+)$/m.exec(stderr)![1]));
}, testWithC);

provoke("a group of more than 128 members", [
  ["cpg_dispatch", "CS_OK", "more than 128"],
], async ({ saw, skip }) => {
  const group = freshName();
  await using _crowd = await crowd(group, 130);
  await using client = await Client.joined(group);
  ok(calls.cpg_leave(client.handle, nameAt(group)));
  const { members, left } = await client.until("configuration");
  assertEquals(left.map(({ pid }) => pid), [Deno.pid]);
  // The one that has left stands among the members, where the list goes on.
  if (!members.some(({ pid }) => pid === Deno.pid)) {
    return skip("this build of libcpg has something else behind the list");
  }
  saw("cpg_dispatch", CsError.CS_OK);
}, testWithC);

provoke("a connection that breaks amid the fragments", [
  ["cpg_mcast_joined", "CS_OK", "breaks"],
], async ({ saw }) => {
  await using fragments = await program("fragments_broken.c", [
    "-rdynamic",
    "-ldl",
  ]);
  const { code, stdout } = await run(fragments.path, [freshName()]);
  assertEquals(code, 0);
  saw("cpg_mcast_joined", Number(stdout));
}, testWithC);

provoke("zero copy of other versions", [
  ["cpg_zcb_alloc", "CS_ERR_NO_MEMORY"],
  ["cpg_zcb_alloc", "CS_OK"],
], async ({ saw }) => {
  await using client = new Client();
  const buffer = new BigUint64Array(1);
  await using later = await variant("zcb_malloc.c");
  const alloc = openLibcpg(later.path).calls.cpg_zcb_alloc!;
  saw("cpg_zcb_alloc", alloc(client.handle, 2n ** 62n, pin(buffer)));

  await using unmapped = await variant("zcb_unmapped.c");
  const mapped = openLibcpg(unmapped.path).calls.cpg_zcb_alloc!;
  saw("cpg_zcb_alloc", mapped(client.handle, 100n, pin(buffer)));
  assertEquals(serverAddress(buffer[0]), 0n);
  // As much of a connection as freeing it takes.
  const connection = {
    libcpg: loadLibcpg(),
    handle: client.handle,
    exclusive: (task: () => Promise<unknown>) => task(),
  } as unknown as Connection;
  await freeDaemonSide(connection, buffer[0], 100);
  unmapContent(connection.libcpg, buffer[0], 100);
}, testWithC);

/** Runs a program that is to end by a signal. */
async function crash(source: string, command?: string[]): Promise<void> {
  const outcome = await ffiScript(
    `${source}; console.log("alive"); Deno.exit();`,
    command,
  );
  assertEquals(outcome.stdout, "");
  assert(outcome.signal !== null || outcome.code > 128, outcome.stderr);
}

const group = "const client = await Client.joined(freshName());";

provoke("what ends the process", [
  ["cpg_mcast_joined", "ends the process"],
  ["cpg_zcb_alloc", "ends the process"],
  ["cpg_zcb_free", "ends the process"],
], async ({ saw }) => {
  await crash(`
    ${group}
    client.send(...Array(1_000).fill(new Uint8Array(1)));
  `);
  saw("cpg_mcast_joined", "ends the process");
  await crash(
    `
    ${group}
    const held = [];
    try {
      for (;;) held.push(Deno.openSync("/dev/null"));
    } catch { /* That is all. */ }
    alloc(client.handle, 100);
  `,
    ["sh", "-c", 'ulimit -n 100; exec "$@"', "sh"],
  );
  saw("cpg_zcb_alloc", "ends the process");
  await crash(`
    ${group}
    const { at } = alloc(client.handle, 100);
    ok(zeroCopy.free(client.handle, at));
    zeroCopy.free(client.handle, at);
  `);
  saw("cpg_zcb_free", "ends the process");
});
