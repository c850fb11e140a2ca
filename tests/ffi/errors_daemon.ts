/** Errors of a daemon that is stopped, or has died, or has yet to start. */
import { assert, assertEquals } from "@std/assert";
import { CpgGuarantee, CpgModel, CsDispatch, CsError } from "../../ffi.ts";
import { node, revived } from "../daemon.ts";
import { freshName, text, until, within } from "../support.ts";
import { Client } from "./client.ts";
import { asking, Equipped } from "./equipped.ts";
import { each, ffiScript, provoke, stillPending } from "./provoke.ts";
import { async, calls, iovecAt, members, nameAt, ok, pin } from "./support.ts";

const functions = Object.keys(asking);

/** Stops the daemon for a while, unless it is ended meanwhile. */
async function stopped(test: () => Promise<void>): Promise<void> {
  await node.freeze();
  try {
    await test();
  } finally {
    // Before anything is cleaned up, which asks the daemon.
    if (node.pid !== undefined) await node.thaw();
  }
}

/** Connects, and gives the connection back if that worked. */
async function connecting(
  call: "cpg_initialize" | "cpg_model_initialize",
): Promise<number> {
  const handle = new BigUint64Array(1);
  const result = call === "cpg_initialize"
    ? await async.cpg_initialize(pin(handle), 0n)
    : await async.cpg_model_initialize(pin(handle), CpgModel.V1, 0n, 0n);
  if (result === CsError.CS_OK) ok(await async.cpg_finalize(handle[0]));
  return result;
}

/** Shows that the daemon is well: a message comes back. */
async function roundTrip(client: Client): Promise<void> {
  ok(client.send(text("there and back")));
  await client.until("message");
}

const connects = ["cpg_initialize", "cpg_model_initialize"] as const;

provoke(
  "each call that asks a daemon waits while that is stopped",
  each([...functions, ...connects], "never returns", "is stopped"),
  ({ saw }) =>
    revived(async () => {
      await using stack = new AsyncDisposableStack();
      const made = new Map<string, Promise<number>>();
      const from = new Map<string, Equipped>();
      for (const call of functions) {
        const equipped = call === "cpg_join"
          ? new Equipped(new Client(), freshName())
          : await Equipped.joined();
        from.set(call, stack.use(equipped));
      }
      await stopped(async () => {
        for (const [call, make] of Object.entries(asking)) {
          made.set(call, make(from.get(call)!));
        }
        for (const call of connects) {
          made.set(call, connecting(call));
          // Two must not connect at once.
          await stillPending(made.get(call)!);
        }
        await stillPending(Promise.race(made.values()));
        for (const call of made.keys()) saw(call, "never returns");
      });
      for (const [call, promise] of made) {
        ok(await within(`the end of ${call}`, promise), call);
      }
      from.get("cpg_zcb_free")!.buffer = 0n;
    }),
);

provoke(
  "each call that asks a daemon says to try again while that is behind",
  [
    ...each(functions, "CS_ERR_TRY_AGAIN", "is behind"),
    ["cpg_mcast_joined", "CS_ERR_TRY_AGAIN", "is behind"],
  ],
  ({ saw }) =>
    revived(async () => {
      await using equipped = await Equipped.joined();
      await stopped(async () => {
        equipped.fill();
        saw("cpg_mcast_joined", equipped.client.send(text("x")));
        for (const [call, make] of Object.entries(asking)) {
          saw(call, await make(equipped));
        }
      });
    }),
);

const outliving = functions.filter((call) => call !== "cpg_iteration_next");

provoke(
  "each call that asks a daemon says so when that dies meanwhile",
  each(outliving, "CS_ERR_LIBRARY"),
  ({ saw }) =>
    revived(async () => {
      await using stack = new AsyncDisposableStack();
      const from: Equipped[] = [];
      for (const _ of outliving) from.push(stack.use(await Equipped.joined()));
      const made: Promise<number>[] = [];
      await stopped(async () => {
        for (const [i, call] of outliving.entries()) {
          made.push(asking[call as keyof typeof asking](from[i]));
        }
        await stillPending(Promise.race(made));
        await node.kill();
      });
      for (const [i, call] of outliving.entries()) {
        saw(call, await within(`the end of ${call}`, made[i]));
      }
    }),
);

provoke(
  "each call says so when the daemon has died before",
  [
    ...each([...functions, "cpg_dispatch"], "CS_ERR_LIBRARY"),
    ["cpg_mcast_joined", "CS_ERR_LIBRARY"],
    ...each(connects, "CS_ERR_LIBRARY", "no corosync runs"),
  ],
  ({ saw }) =>
    revived(async () => {
      await using equipped = await Equipped.joined();
      const { client } = equipped;
      await using other = await Client.joined(freshName());
      ok(client.send(text("lost")));
      await roundTrip(other);
      await node.kill();
      for (const types of Object.values(CsDispatch)) {
        saw(
          "cpg_dispatch",
          await async.cpg_dispatch(client.handle, types),
        );
      }
      assertEquals(client.told, []);
      saw("cpg_mcast_joined", client.send(text("x")));
      for (const [call, make] of Object.entries(asking)) {
        saw(call, await make(equipped));
      }
      for (const call of connects) {
        saw(call, await connecting(call), "no corosync runs");
      }
    }),
);

provoke(
  "connecting while the daemon forms its first ring",
  each(connects, "CS_ERR_TRY_AGAIN"),
  ({ saw }) =>
    revived(() =>
      until("a daemon that listens, but has no ring yet", async () => {
        await node.kill();
        const starting = node.start();
        await until(
          "the daemon to listen",
          () => /@cpg(@|\s)/.test(Deno.readTextFileSync("/proc/net/unix")),
        );
        const pid = node.pid!;
        Deno.kill(pid, "SIGSTOP");
        const made: Promise<number>[] = [];
        try {
          for (const call of connects) {
            made.push(connecting(call));
            // Two must not connect at once.
            await stillPending(made.at(-1)!);
          }
        } finally {
          Deno.kill(pid, "SIGCONT");
        }
        const results = await Promise.all(made);
        await starting;
        if (results.includes(CsError.CS_OK)) return false;
        connects.forEach((call, i) => saw(call, results[i]));
        return true;
      }, 120_000)
    ),
);

provoke("fragments for a daemon that has died", [
  ["cpg_mcast_joined", "CS_ERR_TRY_AGAIN", "has died"],
], ({ saw }) =>
  revived(async () => {
    // In another process, as libcpg prints each of a hundred tries.
    const { stdout } = await ffiScript(`
      const node = CorosyncNode.ambient();
      const equipped = await Equipped.joined();
      await node.freeze();
      equipped.fill();
      await node.kill();
      console.log(equipped.client.send(new Uint8Array(2_000_000)));
      Deno.exit();
    `);
    saw("cpg_mcast_joined", Number(stdout));
  }));

provoke("an iteration that goes on while the daemon dies", [
  ["cpg_iteration_next", "never returns", "dies during"],
  ["cpg_iteration_next", "CS_ERR_LIBRARY"],
], ({ saw }) =>
  revived(async () => {
    // In another process, since its thread never comes back.
    const { stdout } = await ffiScript(`
      const node = CorosyncNode.ambient();
      const [early, late] = [await Equipped.joined(), await Equipped.joined()];
      await node.freeze();
      const next = asking.cpg_iteration_next(early);
      let outcome = "never returns";
      next.then(() => outcome = "returned");
      const slow = asking.cpg_local_get(late);
      await node.kill();
      await slow;
      await node.start();
      console.log(outcome);
      console.log(await asking.cpg_iteration_next(late));
      Deno.exit();
    `);
    const [outcome, result] = stdout.trimEnd().split("\n");
    assertEquals(outcome, "never returns");
    saw("cpg_iteration_next", "never returns");
    saw("cpg_iteration_next", Number(result));
  }));

provoke("small messages to a daemon that is stopped", [
  ["cpg_mcast_joined", "never returns"],
], ({ saw }) =>
  revived(async () => {
    await using client = await Client.joined(freshName());
    const part = iovecAt([text("x")]);
    const send = () =>
      async.cpg_mcast_joined(client.handle, CpgGuarantee.AGREED, part, 1);
    let sent = 0;
    let sending!: Promise<number>;
    await stopped(async () => {
      const late = Symbol();
      const bound = () =>
        new Promise((resolve) => setTimeout(() => resolve(late), 3_000));
      sending = send();
      while (await Promise.race([sending, bound()]) !== late) {
        ok(await sending);
        sent++;
        sending = send();
      }
      assert(sent > 100 && sent < 1_000, `${sent} were sent`);
      saw("cpg_mcast_joined", "never returns");
    });
    ok(await within("the send", sending));
    for (let i = 0; i <= sent; i++) await client.until("message");
  }));

provoke("what only the end of the daemon mends", [
  ["cpg_dispatch", "never returns"],
  ["cpg_join", "never returns", "has joined and left another group"],
  ["cpg_join", "CS_OK"],
  ["cpg_leave", "CS_OK"],
], ({ saw }) =>
  revived(async () => {
    await using well = await Client.joined(freshName());

    const dispatching = await Client.joined(freshName());
    const dispatch = async.cpg_dispatch(
      dispatching.handle,
      CsDispatch.BLOCKING,
    );
    await stillPending(dispatch);
    ok(calls.cpg_finalize(dispatching.handle));
    await stillPending(dispatch, roundTrip(well));
    saw("cpg_dispatch", "never returns");

    const group = freshName();
    await using joining = await Client.joined(group);
    ok(calls.cpg_leave(joining.handle, nameAt(group)));
    await joining.until("configuration");
    const join = async.cpg_join(joining.handle, nameAt(freshName()));
    await stillPending(join, roundTrip(well));
    saw("cpg_join", "never returns");

    const nameless = new Client();
    saw("cpg_join", calls.cpg_join(nameless.handle, nameAt("")));
    await nameless.until("configuration");
    ok(calls.cpg_finalize(nameless.handle));

    // Leaving by another's name, which belongs to a connection of ours.
    const [own, named] = [freshName(), freshName()];
    const mistaken = await Client.joined(own);
    await using victim = await Client.joined(named);
    saw("cpg_leave", calls.cpg_leave(mistaken.handle, nameAt(named)));
    assertEquals((await victim.until("configuration")).members, []);
    assertEquals(members(well.handle, named), []);
    ok(calls.cpg_finalize(mistaken.handle));

    await roundTrip(well);
    for (const stale of ["", own]) {
      assertEquals(members(well.handle, stale)[0]?.pid, Deno.pid, stale);
    }
    await node.kill();
    await within("the dispatch", dispatch);
    await within("the join", join);
    for (const client of [dispatching, nameless, mistaken]) {
      await client[Symbol.asyncDispose]();
    }
  }));
