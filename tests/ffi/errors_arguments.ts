/** Errors of arguments, handles and order, all with a daemon that is well. */
import { assertEquals } from "@std/assert";
import {
  CpgGuarantee,
  CpgIteration,
  CpgModel,
  CsDispatch,
  CsError,
  SIZEOF_CPG_ITERATION_DESCRIPTION,
  SIZEOF_CPG_MODEL_V1_DATA,
  viewOf,
  writeCpgModelV1Data,
} from "../../ffi.ts";
import { openLibcpg } from "../../libcpg.ts";
import { freshName, script, text, until } from "../support.ts";
import { Client } from "./client.ts";
import { each, provoke } from "./provoke.ts";
import {
  alloc,
  async,
  beginIteration,
  calls,
  iovecAt,
  longNameAt,
  nameAt,
  ok,
  pin,
  zeroCopy,
} from "./support.ts";

const { AGREED } = CpgGuarantee;
const description = () => pin(new Uint8Array(SIZEOF_CPG_ITERATION_DESCRIPTION));
const out = () => pin(new BigUint64Array(1));

provoke("arguments of cpg_model_initialize", [
  ["cpg_model_initialize", "CS_ERR_INVALID_PARAM", "the model"],
  ["cpg_model_initialize", "CS_ERR_INVALID_PARAM", "a flag"],
], ({ saw }) => {
  const call = "cpg_model_initialize";
  for (const model of [0, 2]) {
    saw(call, calls.cpg_model_initialize(out(), model, 0n, 0n), "the model");
  }
  const data = new DataView(new ArrayBuffer(SIZEOF_CPG_MODEL_V1_DATA));
  const none = { deliver: 0n, confchg: 0n, totemConfchg: 0n };
  writeCpgModelV1Data(data, 0, { ...none, flags: 2 });
  const open = () => [...Deno.readDirSync("/proc/self/fd")].length;
  const before = open();
  saw(
    call,
    calls.cpg_model_initialize(out(), CpgModel.V1, pin(data), 0n),
    "a flag",
  );
  assertEquals(open(), before + 1);
  return Promise.resolve();
});

provoke(
  "names of more than 128 bytes",
  each([
    "cpg_join",
    "cpg_leave",
    "cpg_membership_get",
    "cpg_iteration_initialize",
  ], "CS_ERR_NAME_TOO_LONG"),
  async ({ saw }) => {
    await using client = new Client();
    const { handle } = client;
    const name = longNameAt();
    saw("cpg_join", calls.cpg_join(handle, name));
    saw("cpg_leave", calls.cpg_leave(handle, name));
    saw(
      "cpg_membership_get",
      calls.cpg_membership_get(handle, name, out(), out()),
    );
    saw(
      "cpg_iteration_initialize",
      calls.cpg_iteration_initialize(
        handle,
        CpgIteration.ONE_GROUP,
        name,
        out(),
      ),
    );
  },
);

provoke("what must not be NULL, and what must be", [
  ["cpg_membership_get", "CS_ERR_INVALID_PARAM"],
  ["cpg_iteration_initialize", "CS_ERR_INVALID_PARAM", "the group"],
  ["cpg_iteration_initialize", "CS_ERR_INVALID_PARAM", "the type"],
  ["cpg_iteration_initialize", "CS_ERR_INVALID_PARAM", "the address"],
  ["cpg_iteration_next", "CS_ERR_INVALID_PARAM"],
], async ({ saw }) => {
  await using client = new Client();
  const { handle } = client;
  const name = nameAt("x");
  for (const [list, count] of [[0n, out()], [out(), 0n]]) {
    saw(
      "cpg_membership_get",
      calls.cpg_membership_get(handle, name, list, count),
    );
  }
  const { ALL, NAME_ONLY, ONE_GROUP } = CpgIteration;
  for (
    const [type, group, to, what] of [
      [ONE_GROUP, 0n, out(), "the group"],
      [NAME_ONLY, name, out(), "the group"],
      [ALL, name, out(), "the group"],
      [0, 0n, out(), "the type"],
      [4, 0n, out(), "the type"],
      [ALL, 0n, 0n, "the address"],
    ] as const
  ) {
    saw(
      "cpg_iteration_initialize",
      calls.cpg_iteration_initialize(handle, type, group, to),
      what,
    );
  }
  const iteration = beginIteration(handle);
  saw("cpg_iteration_next", calls.cpg_iteration_next(iteration, 0n));
});

const needingHandle: Record<string, (handle: bigint) => number> = {
  cpg_finalize: (handle) => calls.cpg_finalize(handle),
  cpg_fd_get: (handle) => calls.cpg_fd_get(handle, out()),
  cpg_max_atomic_msgsize_get: (handle) =>
    calls.cpg_max_atomic_msgsize_get(handle, out()),
  cpg_context_get: (handle) => calls.cpg_context_get(handle, out()),
  cpg_context_set: (handle) => calls.cpg_context_set(handle, 1n),
  cpg_dispatch: (handle) => calls.cpg_dispatch(handle, CsDispatch.ONE),
  cpg_join: (handle) => calls.cpg_join(handle, nameAt("x")),
  cpg_leave: (handle) => calls.cpg_leave(handle, nameAt("x")),
  cpg_mcast_joined: (handle) =>
    calls.cpg_mcast_joined(handle, AGREED, iovecAt([text("x")]), 1),
  cpg_membership_get: (handle) =>
    calls.cpg_membership_get(handle, nameAt("x"), out(), out()),
  cpg_local_get: (handle) => calls.cpg_local_get(handle, out()),
  cpg_flow_control_state_get: (handle) =>
    calls.cpg_flow_control_state_get(handle, out()),
  cpg_iteration_initialize: (handle) =>
    calls.cpg_iteration_initialize(handle, CpgIteration.ALL, 0n, out()),
  cpg_iteration_next: (handle) =>
    calls.cpg_iteration_next(handle, description()),
  cpg_iteration_finalize: (handle) => calls.cpg_iteration_finalize(handle),
  cpg_zcb_alloc: (handle) => zeroCopy.alloc(handle, 1n, out()),
  cpg_zcb_mcast_joined: (handle) =>
    zeroCopy.send(handle, AGREED, pin(new Uint8Array(100)) + 56n, 1n),
  cpg_zcb_free: (handle) =>
    zeroCopy.free(handle, pin(new Uint8Array(100)) + 56n),
};

provoke(
  "handles that are none, or none any more",
  Object.keys(needingHandle).map((call) => [
    call,
    "CS_ERR_BAD_HANDLE",
    call.startsWith("cpg_iteration_") && !call.endsWith("initialize")
      ? "the iteration"
      : "the connection is closed",
  ]),
  async ({ saw }) => {
    const client = new Client();
    const iteration = beginIteration(client.handle);
    const finished = beginIteration(client.handle);
    ok(calls.cpg_iteration_finalize(finished));
    await client[Symbol.asyncDispose]();
    for (const [call, make] of Object.entries(needingHandle)) {
      for (const none of [0n, 0x1234_5678n << 32n, 2n ** 64n - 1n]) {
        saw(call, make(none));
      }
      for (
        const ended of call.startsWith("cpg_iteration_n") ||
            call.startsWith("cpg_iteration_f")
          ? [iteration, finished]
          : [client.handle]
      ) saw(call, make(ended));
    }
  },
);

provoke("finalizing inside a callback", [
  ["cpg_dispatch", "CS_ERR_BAD_HANDLE", "a callback"],
], async ({ saw }) => {
  await using client = await Client.joined(freshName());
  client.whenTold = () => ok(calls.cpg_finalize(client.handle));
  ok(client.send(text("x")));
  saw("cpg_dispatch", await async.cpg_dispatch(client.handle, CsDispatch.ONE));
});

provoke("nothing to dispatch", [
  ["cpg_dispatch", "CS_ERR_TRY_AGAIN"],
], async ({ saw }) => {
  await using client = new Client();
  saw("cpg_dispatch", await client.drain());
});

provoke("joining where that is not possible", [
  ["cpg_join", "CS_ERR_EXIST", "another connection"],
  ["cpg_join", "CS_ERR_EXIST", "has joined a group"],
  ["cpg_join", "CS_ERR_EXIST", "joined and left this group"],
  ["cpg_leave", "CS_ERR_NOT_EXIST"],
], async ({ saw }) => {
  const group = freshName();
  await using client = new Client();
  saw("cpg_leave", calls.cpg_leave(client.handle, nameAt(group)));
  ok(calls.cpg_join(client.handle, nameAt(group)));
  await client.until("configuration");
  await using other = new Client();
  const join = ({ handle }: Client, name: string) =>
    calls.cpg_join(handle, nameAt(name));
  saw("cpg_join", join(other, group), "another connection");
  saw("cpg_join", join(client, freshName()), "has joined a group");
  ok(calls.cpg_leave(client.handle, nameAt(group)));
  await client.until("configuration");
  saw("cpg_leave", calls.cpg_leave(client.handle, nameAt(group)));
  saw("cpg_join", join(client, group), "joined and left this group");
});

provoke("joining again a moment later", [
  ["cpg_join", "CS_ERR_TRY_AGAIN", "has finalized"],
], async ({ saw }) => {
  const group = freshName();
  await until("the departure to be late", async () => {
    const first = await Client.joined(group);
    await using second = new Client();
    ok(calls.cpg_finalize(first.handle));
    const result = calls.cpg_join(second.handle, nameAt(group));
    await first[Symbol.asyncDispose]();
    if (result !== CsError.CS_ERR_TRY_AGAIN) return false;
    saw("cpg_join", result);
    return true;
  });
});

provoke("sending without having joined, and after leaving", [
  ["cpg_mcast_joined", "CS_OK", "in one piece"],
  ["cpg_mcast_joined", "CS_ERR_NOT_EXIST"],
  ["cpg_zcb_mcast_joined", "CS_ERR_NOT_EXIST"],
], async ({ saw }) => {
  await using left = await Client.joined(freshName());
  const { group } = await leave(left);
  await using never = new Client();
  for (const { handle } of [never, left]) {
    const send = (size: number) =>
      calls.cpg_mcast_joined(
        handle,
        AGREED,
        iovecAt([new Uint8Array(size)]),
        1,
      );
    saw("cpg_mcast_joined", send(10), "in one piece");
    saw("cpg_mcast_joined", send(2_000_000));
    const { at } = alloc(handle, 10);
    saw("cpg_zcb_mcast_joined", zeroCopy.send(handle, AGREED, at, 10n));
    ok(zeroCopy.free(handle, at));
  }
  // What others send still comes to the one that has left, and only that.
  const { code } = await script(`
    import { join } from "@corosync/cpg";
    const group = await join(${JSON.stringify(group)});
    await group.send(new Uint8Array(3));
    await group.leave();
  `);
  assertEquals(code, 0);
  assertEquals((await left.until("message")).data.length, 3);
});

async function leave(client: Client): Promise<{ group: string }> {
  ok(client.send(text("x")));
  const group = new TextDecoder().decode((await client.until("message")).group);
  ok(calls.cpg_leave(client.handle, nameAt(group)));
  await client.until("configuration");
  return { group };
}

provoke("a membership that changes amid the fragments", [
  ["cpg_mcast_joined", "CS_ERR_INTERRUPT"],
], async ({ saw }) => {
  const group = freshName();
  await using client = await Client.joined(group);
  const parts = [new Uint8Array(20_000_000)];
  const coming = script(`
    import { join } from "@corosync/cpg";
    for (let i = 0; i < 100; i++) {
      await (await join(${JSON.stringify(group)})).leave();
    }
  `);
  await client.until("configuration");
  let over = false;
  coming.then(() => over = true);
  let whole = 0; // how many fell between two changes
  let result: number | undefined;
  do {
    if (result !== undefined) whole++;
    result = undefined;
    async.cpg_mcast_joined(client.handle, AGREED, iovecAt(parts), 1)
      .then((value) => result = value);
    await until("the send to end", async () => {
      await client.drain();
      return result !== undefined;
    });
  } while (result === CsError.CS_OK && !over);
  saw("cpg_mcast_joined", result!);
  // Nobody receives what was interrupted, before what is sent after it.
  await until("another send", async () => {
    await client.drain();
    return client.send(text("x")) === CsError.CS_OK;
  });
  const sizes = () =>
    client.told.flatMap((told) =>
      told.kind === "message" ? [told.data.length] : []
    );
  await until("that to come", async () => {
    await client.drain();
    return sizes().includes(1);
  });
  assertEquals(sizes(), [...Array(whole).fill(20_000_000), 1]);
  assertEquals((await coming).code, 0);
});

provoke("the end of an iteration, and what comes after it", [
  ["cpg_iteration_next", "CS_ERR_NO_SECTIONS"],
], async ({ saw }) => {
  const group = freshName();
  await using client = await Client.joined(group);
  const iteration = beginIteration(
    client.handle,
    CpgIteration.ONE_GROUP,
    nameAt(group),
  );
  for (let round = 0; round < 2; round++) {
    ok(calls.cpg_iteration_next(iteration, description()));
    saw(
      "cpg_iteration_next",
      calls.cpg_iteration_next(iteration, description()),
    );
  }
});

provoke("zero-copy messages that are too long", [
  ["cpg_zcb_mcast_joined", "CS_ERR_TOO_BIG"],
  ["cpg_zcb_mcast_joined", "CS_OK", "1,048,392"],
  ["cpg_zcb_mcast_joined", "CS_OK", "longer than the memory"],
], async ({ saw }) => {
  const call = "cpg_zcb_mcast_joined";
  await using client = await Client.joined(freshName());
  // Within the page, so that the daemon survives it.
  const small = alloc(client.handle, 100);
  const longer = zeroCopy.send(client.handle, AGREED, small.at, 200n);
  saw(call, longer, "longer than the memory");
  assertEquals((await client.until("message")).data.length, 200);
  ok(zeroCopy.free(client.handle, small.at));

  await using deaf = await Client.joined(freshName());
  const large = alloc(deaf.handle, 2 ** 21);
  const send = (length: bigint) =>
    zeroCopy.send(deaf.handle, AGREED, large.at, length);
  saw(call, send(2n ** 20n + 1n));
  ok(send(1_048_392n));
  assertEquals((await deaf.until("message")).data.length, 1_048_392);
  saw(call, send(1_048_393n), "1,048,392");
  ok(deaf.send(text("unheard")));
  // What is sent later, to another group, comes.
  ok(client.send(text("heard")));
  await client.until("message");
  await deaf.drain();
  assertEquals(deaf.told, []);
  ok(zeroCopy.free(deaf.handle, large.at));
});

provoke("zero-copy messages faster than the cluster", [
  ["cpg_zcb_mcast_joined", "CS_ERR_TRY_AGAIN", "queue of messages"],
], async ({ saw }) => {
  await using client = await Client.joined(freshName());
  const { handle } = client;
  const { at } = alloc(handle, 1_000_000);
  let sent = 0;
  let result: number;
  do result = zeroCopy.send(handle, AGREED, at, 1_000_000n); while (
    result === CsError.CS_OK && sent++ < 1_000
  );
  saw("cpg_zcb_mcast_joined", result);
  for (let i = 0; i < sent; i++) await client.until("message");
  ok(zeroCopy.free(handle, at));
});

provoke("the header before a zero-copy buffer overwritten", [
  ["cpg_zcb_free", "CS_ERR_INVALID_PARAM"],
], async ({ saw }) => {
  await using client = new Client();
  const { at } = alloc(client.handle, 100);
  // The size of the map.
  new Int32Array(viewOf(at - 56n, 4))[0] = 0;
  saw("cpg_zcb_free", zeroCopy.free(client.handle, at));
  openLibcpg().calls.munmap(at - 56n, 156n);
});
