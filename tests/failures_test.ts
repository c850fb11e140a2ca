/** That failures below the library come out as what they are. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { stub } from "@std/testing/mock";
import { Ending } from "../abortable.ts";
import type { Connection } from "../connection.ts";
import { CsError } from "../ffi.ts";
import { openLibcpg } from "../libcpg.ts";
import type { NativeMemory } from "../memory.ts";
import { CpgError } from "../mod.ts";
import { Outbox, type Send } from "../outbox.ts";
import { testWithC, variant } from "./c.ts";
import { joinFresh, pattern, text, until, within } from "./support.ts";

const memory = undefined as unknown as NativeMemory;

testWithC("a message that there is no memory for ends the stream", async () => {
  await using library = await variant("malloc_refuses.c");
  const group = await joinFresh({ library: library.path });
  await group.send(text("before"));
  // It may come back before it counts as sent.
  const sending = group.send(pattern(3_000_000)).catch(() => {});
  const read: string[] = [];
  const reading = (async () => {
    for await (const { type } of group) read.push(type);
  })();
  const error = await within(
    "the end of the stream",
    assertRejects(() => reading, CpgError),
  );
  assertEquals(error.code, "CS_ERR_NO_MEMORY");
  assertEquals(read.at(-1), "message");
  await sending;
  await within("close", group.close());
});

Deno.test("a message that corosync has may be delivered, whatever ends then", async () => {
  for (const immediate of [true, false]) {
    const ending = new Ending();
    const loss = new CpgError("Lost", "cpg_dispatch", "CS_ERR_LIBRARY");
    const send: Send = {
      doing: "Cannot send",
      call: "cpg_mcast_joined",
      immediate,
      attempt: () => {
        queueMicrotask(() => ending.end(loss));
        return CsError.CS_OK;
      },
    };
    const outbox = new Outbox({
      ending,
      maySend: () => true,
      try: ({ attempt }: Send) => attempt(memory) === CsError.CS_OK,
      call: async ({ attempt }: Send) => void await attempt(memory),
    } as unknown as Connection);
    const outcome = await outbox.send(send).catch((error) => error.delivery);
    assert(outcome !== "none", `immediate: ${immediate}`);
  }
});

Deno.test("what waits behind the send that finds the daemon gone is not sent", async () => {
  let attempts = 0;
  const send = (immediate: boolean): Send => ({
    doing: "Cannot send",
    call: "cpg_mcast_joined",
    immediate,
    attempt: () => {
      attempts++;
      throw new CpgError("Lost", "cpg_mcast_joined", "CS_ERR_LIBRARY");
    },
  });
  const outbox = new Outbox({
    libcpg: openLibcpg(),
    ending: new Ending(),
    maySend: () => true,
    try: ({ attempt }: Send) => attempt(memory) === CsError.CS_OK,
    call: async ({ attempt }: Send) => void await attempt(memory),
  } as unknown as Connection);
  const outcomes = [false, true, false].map((immediate) =>
    outbox.send(send(immediate)).catch((error) => error.delivery)
  );
  assertEquals(await Promise.all(outcomes), ["unknown", "none", "none"]);
  await outbox.flush();
  const error = assertThrows(() => outbox.trySend(send(true)), CpgError);
  assertEquals(error.delivery, "none");
  assertEquals(attempts, 1);
});

testWithC("fragments that libcpg loses do not count as sent", async () => {
  await using library = await variant("fragments_lost.c");
  for (const shared of [false, true]) {
    const group = await joinFresh({ library: library.path });
    const error = await assertRejects(
      async () => {
        const data = shared ? await group.alloc(3_000_000) : pattern(3_000_000);
        await (data instanceof Uint8Array
          ? group.send(data)
          : group.send(data));
      },
      CpgError,
    );
    assertEquals(error.delivery, "unknown");
    await group.close();
  }
});

Deno.test("an event that there is no memory for by callbacks ends the stream", async () => {
  const group = await joinFresh({ receiving: "callbacks" });
  const types: string[] = [];
  const reading = (async () => {
    for await (const { type } of group) types.push(type);
  })();
  await until("the arrival", () => types.includes("membership"));
  const slice = stub(ArrayBuffer.prototype, "slice", () => {
    throw new RangeError("no memory");
  });
  try {
    await group.send(text("lost")).catch(() => {});
    const error = await within(
      "the end of the stream",
      assertRejects(() => reading, CpgError),
    );
    assertEquals(error.code, "CS_ERR_NO_MEMORY");
  } finally {
    slice.restore();
  }
  await group.close();
});

Deno.test("leaving ends with closing, even if corosync is busy", async () => {
  const group = await joinFresh();
  const { promise, resolve } = Promise.withResolvers<number>();
  let asked = 0;
  using _ = stub(openLibcpg().async, "cpg_leave", () => {
    const busy = Promise.resolve(CsError.CS_ERR_TRY_AGAIN);
    return asked++ < 3 ? busy : promise;
  });
  const leaving = group.leave();
  await until("some attempts", () => asked === 4);
  const closing = group.close();
  resolve(CsError.CS_ERR_TRY_AGAIN);
  await within("close", closing);
  await within("leave", leaving);
});
