import { assert, assertEquals, assertRejects } from "@std/assert";
import { CpgError, type Group, type GroupEvent, groups } from "../mod.ts";
import { node, revived, STARTING } from "./daemon.ts";
import { joinFresh, pattern, text, until, within } from "./support.ts";

function test(name: string, body: () => Promise<void>): void {
  Deno.test(name, () => revived(body));
}

/** Everything that a group's stream yields, as it comes. */
function record(group: Group): {
  events: GroupEvent[];
  ended: Promise<unknown>;
} {
  const events: GroupEvent[] = [];
  const ended = (async () => {
    for await (const event of group) events.push(event);
  })().catch((error) => error);
  return { events, ended };
}

function types(events: GroupEvent[]): string[] {
  return events.map(({ type }) => type);
}

test("a session comes back after the daemon is killed and started", async () => {
  const group = await joinFresh({ reconnect: true });
  const { events, ended } = record(group);
  await group.send(text("before"));
  await until("the message", () => types(events).includes("message"));
  await node.kill();
  await until("the loss", () => types(events).includes("disconnected"));
  const lost = events.find(({ type }) => type === "disconnected");
  assert(lost?.type === "disconnected" && lost.error instanceof CpgError);
  // What is asked for meanwhile waits.
  assertEquals(group.trySend(text("at once")), false);
  const sending = group.send(text("meanwhile"));
  const asking = group.members();
  const allocating = group.alloc(100);
  await node.start();
  await within("the send", sending);
  assertEquals(await asking, [group.self]);
  const buffer = await allocating;
  buffer.bytes.set(text("shared"));
  await group.send(buffer, { length: 6 });
  await group.sendAndConfirm(text("after"));
  await group.leave();
  assertEquals(await ended, undefined);
  const after = events.slice(types(events).indexOf("disconnected") + 1);
  assertEquals(types(after).slice(0, 2), ["reconnected", "ring"]);
  assert(after[0].type === "reconnected");
  assertEquals(after[0].members, [group.self]);
  const said = events.flatMap((event) =>
    event.type === "message" ? [new TextDecoder().decode(event.data)] : []
  );
  assertEquals(said, ["before", "meanwhile", "shared", "after"]);
});

test("what waits for the daemon goes before what is asked for later", async () => {
  const group = await joinFresh({ reconnect: true });
  await node.kill();
  await until("the loss", () => {
    try {
      return !group.trySend(text("too soon"));
    } catch {
      return false; // The first to find the daemon gone.
    }
  });
  const waiting = ["1", "2", "3"].map((word) => group.send(text(word)));
  const said: string[] = [];
  const reading = (async () => {
    for await (const event of group) {
      if (event.type === "reconnected") {
        // Not even between two microtasks is there room for it.
        let early = false;
        for (let i = 0; i < 10_000 && !early; i++) {
          early = await group.trySend(text("early"));
        }
      }
      if (event.type !== "message") continue;
      said.push(new TextDecoder().decode(event.data));
      if (said.at(-1) === "end") break;
    }
  })();
  await node.start();
  await Promise.all(waiting);
  await group.send(text("end"));
  await within("the messages", reading);
  assertEquals(said.filter((word) => Number(word) > 0), ["1", "2", "3"]);
  assertEquals(said.indexOf("1"), 0);
  await group.leave();
});

for (
  const [what, options] of [
    ["is at a message that it was lent", { lend: true }],
    ["has more waiting than it may", { highWaterMark: 1 }],
  ] as const
) {
  test(`a session comes back to a reader that ${what}`, async () => {
    const group = await joinFresh({ reconnect: true, ...options });
    for (const number of [1, 2, 3]) await group.send(new Uint8Array([number]));
    const reading = (async () => {
      for await (const event of group) {
        if (event.type !== "message") continue;
        if (event.data[0] === 4) return;
        if (event.data[0] !== 1) continue;
        await node.kill();
        await node.start();
        // This waits for the session, which must not wait for the reader.
        await within("the send", group.send(new Uint8Array([4])));
      }
    })();
    await within("the last message", reading, STARTING);
    await group.leave();
  });
}

test("the send that finds the daemon gone says what became of it", async () => {
  for (const reconnect of [true, false]) {
    const group = await joinFresh({ reconnect });
    const errors: unknown[] = [];
    // The event loop does not turn, so nothing has told the group yet.
    Deno.kill(node.pid!, "SIGKILL");
    while (node.pid !== undefined);
    try {
      group.trySend(text("at once"));
    } catch (error) {
      errors.push(error);
    }
    errors.push(await group.send(text("x")).catch((error) => error));
    assertEquals(
      errors.map((error) => error instanceof CpgError && error.delivery),
      // The second was not given to a libcpg that had lost the daemon.
      ["unknown", "none"],
    );
    await group.close();
    await node.start();
  }
});

test("sending again what was not sent leaves the loss its turn to be seen", async () => {
  const group = await joinFresh({ reconnect: true });
  // The event loop does not turn, so nothing has told the group yet.
  Deno.kill(node.pid!, "SIGKILL");
  while (node.pid !== undefined);
  const end = performance.now() + STARTING;
  const sending = (async () => {
    // Without a turn for it, no timer would end this either.
    while (performance.now() < end) {
      try {
        return await group.send(text("x"));
      } catch {
        // Again.
      }
    }
    throw new Error("No send has gone");
  })();
  await Promise.all([node.start(), within("the send", sending, STARTING)]);
  await group.leave();
});

test("who closes as the session comes gives up what waits for it", async () => {
  const group = await joinFresh({ reconnect: true });
  async function* events() {
    for await (const event of group) yield event;
  }
  await node.kill();
  let outcome: Promise<unknown> | undefined;
  const reading = (async () => {
    for await (const { type } of events()) {
      if (type === "disconnected") {
        outcome = group.send(text("x")).catch(({ code }) => code);
      } else if (type === "reconnected") {
        group.close();
        return;
      }
    }
  })();
  await until("the loss", () => outcome !== undefined);
  await node.start();
  await within("the return", reading);
  assertEquals(await outcome, "CS_ERR_BAD_HANDLE");
  await group.close();
});

test("it comes back again and again", async () => {
  const group = await joinFresh({ reconnect: true });
  const { events } = record(group);
  for (let i = 1; i <= 3; i++) {
    await node.kill();
    await node.start();
    await until(
      `return number ${i}`,
      () => types(events).filter((type) => type === "reconnected").length === i,
    );
    await group.sendAndConfirm(text(String(i)));
    const last = events.at(-1);
    assert(last?.type === "message");
    assertEquals(last.data, text(String(i)));
  }
  await group.close();
});

test("a buffer of the lost session is freed, and says so", async () => {
  const group = await joinFresh({ reconnect: true });
  const { events } = record(group);
  const buffer = await group.alloc(100);
  await node.kill();
  await node.start();
  await until("the return", () => types(events).includes("reconnected"));
  assertEquals(buffer.bytes.length, 0);
  await assertRejects(() => group.send(buffer), TypeError);
  await group.leave();
});

test("what was pending says whether it may be delivered", async () => {
  for (const reconnect of [true, false]) {
    const group = await joinFresh({ reconnect });
    const { events } = record(group);
    const confirmed = group.sendAndConfirm(text("confirmed"));
    await confirmed;
    await node.freeze();
    // Taken by corosync, but frozen before it comes back.
    const unconfirmed = group.sendAndConfirm(text("unconfirmed"));
    await until("the small send to be taken", async () => {
      await Promise.resolve();
      return true;
    });
    // A zero-copy send, or fragments, wait for the daemon's answer.
    const underWay = group.send(pattern(3_000_000));
    const waiting = group.send(text("behind it"));
    const [a, b, c] = [unconfirmed, underWay, waiting].map((promise) =>
      assertRejects(() => promise, CpgError)
    );
    await node.kill();
    assertEquals((await within("a", a)).delivery, "unknown");
    assertEquals((await within("b", b)).delivery, "unknown");
    assertEquals((await within("c", c)).delivery, "none");
    await node.start();
    if (reconnect) {
      await until("the return", () => types(events).includes("reconnected"));
      await group.sendAndConfirm(text("goes on"));
      assertEquals(
        events.some((event) =>
          event.type === "message" &&
          new TextDecoder().decode(event.data) === "behind it"
        ),
        false,
      );
    }
    await group.close();
  }
});

test("what cannot be is refused while there is no daemon, too", async () => {
  const group = await joinFresh({ reconnect: true });
  const { events } = record(group);
  await node.kill();
  await until("the loss", () => types(events).includes("disconnected"));
  await within("an answer", assertRejects(() => group.alloc(-1), RangeError));
  await node.start();
  await within("the return", group.members());
  await group.close();
});

test("closing while there is no daemon ends the attempts", async () => {
  for (const end of ["leave", "close"] as const) {
    const group = await joinFresh({ reconnect: true });
    const { events, ended } = record(group);
    await node.kill();
    await until("the loss", () => types(events).includes("disconnected"));
    const waiting = assertRejects(
      () => group.send(text("never")),
      CpgError,
      "is closed",
    );
    await within(end, group[end]());
    await waiting;
    assertEquals(await ended, undefined);
    await node.start();
  }
});

test("a signal gets out of waiting for the daemon to return", async () => {
  const group = await joinFresh({ reconnect: true });
  const { events } = record(group);
  await node.kill();
  await until("the loss", () => types(events).includes("disconnected"));
  const signal = AbortSignal.timeout(10);
  await assertRejects(() => group.send(text("x"), { signal }), DOMException);
  await assertRejects(() => group.members({ signal }), DOMException);
  await assertRejects(() => group.alloc(1, { signal }), DOMException);
  await node.start();
  await group.send(text("y"));
  await group.leave();
});

test("a full inbox does not stand in the way of coming back", async () => {
  const group = await joinFresh({ reconnect: true, highWaterMark: 1000 });
  for (let i = 0; i < 5; i++) await group.send(pattern(1000, i));
  await until("the inbox to fill", async () => {
    await group.members();
    return true;
  });
  await node.kill();
  await node.start();
  await until("the group to be joined again", async () => {
    const all = await Array.fromAsync(groups());
    return all.some(({ name }) => name === group.name);
  });
  const { events, ended } = record(group);
  await until("the return", () => types(events).includes("reconnected"));
  await group.sendAndConfirm(text("goes on"));
  await group.leave();
  assertEquals(await ended, undefined);
});
