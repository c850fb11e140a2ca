/** When messages are given to corosync, and how often. */
import { setImmediate } from "node:timers";
import { assert, assertEquals, assertLess } from "@std/assert";
import { stub } from "@std/testing/mock";
import { CsError } from "../ffi.ts";
import { openLibcpg } from "../libcpg.ts";
import { joinFresh, messages, text, until } from "./support.ts";

/** Has corosync refuse messages, for as long as `refusing` says so. */
function refusal() {
  const { calls } = openLibcpg();
  const { cpg_mcast_joined } = calls;
  const state = { refusing: true, attempts: 0 };
  const stubbed = stub(calls, "cpg_mcast_joined", (...args) => {
    state.attempts++;
    return state.refusing
      ? CsError.CS_ERR_TRY_AGAIN
      : cpg_mcast_joined(...args);
  });
  return Object.assign(state, {
    [Symbol.dispose]: () => stubbed[Symbol.dispose](),
  });
}

/** Everything that waits for nothing but other promises. */
async function settle(): Promise<void> {
  for (let i = 0; i < 100; i++) await Promise.resolve();
}

Deno.test("what corosync refuses is not given to it again before it gets on", async () => {
  await using group = await joinFresh();
  await group.send(text("zero")); // has looked whether there is room
  using corosync = refusal();
  const sending = group.send(text("one"));
  await settle();
  assertEquals(corosync.attempts, 1);
  const next = group.send(text("two"));
  await settle();
  assertEquals(corosync.attempts, 1);
  // It is after a moment in any case.
  await until("another attempt", () => corosync.attempts > 1);
  corosync.refusing = false;
  await Promise.all([sending, next]);
  assertEquals(await messages(group, 3), ["zero", "one", "two"].map(text));
});

Deno.test("a message is tried again however often others begin to wait", async () => {
  await using group = await joinFresh();
  using corosync = refusal();
  using _members = stub(
    openLibcpg().async,
    "cpg_membership_get",
    () => Promise.resolve(CsError.CS_ERR_TRY_AGAIN),
  );
  const sending = group.send(text("one"));
  let over = false;
  let waits = 0;
  const others = (async () => {
    for (; !over; waits++) {
      const controller = new AbortController();
      const asking = group.members({ signal: controller.signal });
      await new Promise((resolve) => setImmediate(resolve));
      controller.abort();
      await asking.catch(() => {});
    }
  })();
  await until("some attempts", () => corosync.attempts > 20);
  // A timer that each of them put off would go off once in thousands.
  assertLess(waits / corosync.attempts, 200);
  over = true;
  await others;
  corosync.refusing = false;
  await sending;
  assertEquals(await messages(group, 1), [text("one")]);
});

Deno.test("trySend always tries", async () => {
  await using group = await joinFresh();
  using corosync = refusal();
  for (let i = 1; i < 5; i++) {
    assertEquals(group.trySend(text("x")), false);
    assertEquals(corosync.attempts, i);
  }
  corosync.refusing = false;
  assert(group.trySend(text("x")));
  assertEquals(await messages(group, 1), [text("x")]);
});

Deno.test("a send that was refused can be given up", async () => {
  await using group = await joinFresh();
  using corosync = refusal();
  const controller = new AbortController();
  const { signal } = controller;
  const outcome = group.send(text("one"), { signal }).catch(({ name }) => name);
  await until("an attempt", () => corosync.attempts > 0);
  const next = group.send(text("two"));
  controller.abort();
  assertEquals(await outcome, "AbortError");
  corosync.refusing = false;
  await next;
  assertEquals(await messages(group, 1), [text("two")]);
});

for (const refused of [false, true]) {
  const what = refused ? "was refused" : "waits for its turn";
  Deno.test(`what ${what} as the group is closed is not sent`, async () => {
    const group = await joinFresh();
    // As many as go in one turn, or so that there is room in it.
    const others = Promise.allSettled(Array.from(
      { length: refused ? 1 : 300 },
      () => group.send(text("zero")),
    ));
    if (refused) await others;
    using corosync = refusal();
    corosync.refusing = refused;
    const outcomes = ["one", "two", "three"].map((word) =>
      group.send(text(word)).catch(({ delivery }) => delivery)
    );
    const before = corosync.attempts;
    corosync.refusing = false;
    await group.close();
    assertEquals(await Promise.all(outcomes), ["none", "none", "none"]);
    assertEquals(corosync.attempts, before);
    await others;
  });
}
