/** That a group at work leaves the event loop to others, too. */
import { assert, assertEquals, assertLess } from "@std/assert";
import { stub } from "@std/testing/mock";
import { CsError } from "../ffi.ts";
import { Inbox } from "../inbox.ts";
import { openLibcpg } from "../libcpg.ts";
import { Poller } from "../poller.ts";
import { Receiver } from "../receiver.ts";
import { Sender } from "../sender.ts";
import { joinFresh } from "./support.ts";

Deno.test("reading what never ends leaves others their turn", async () => {
  const libcpg = openLibcpg();
  const fd = libcpg.calls.eventfd(1, 0);
  const poller = Poller.of(libcpg);
  poller.hold();
  const sender = { nodeId: 1, pid: 1 };
  const inbox: Inbox = new Inbox(
    2 ** 20,
    () => receiver.resume(),
    () => receiver.pull(),
    () => {},
  );
  // There is always one more.
  const receiver = new Receiver(
    { libcpg, fd, handle: 0n, progress: () => false, hasRoomForWaiting: false },
    {
      run(_handle, _room, _mayLend, take) {
        take({ type: "message", data: new Uint8Array(), sender });
        return CsError.CS_OK;
      },
    },
    false,
    inbox,
    sender,
    () => {},
  );
  receiver.resume();
  let turns = 0;
  const timer = setInterval(() => turns++);
  for await (const _ of inbox.read()) {
    let read = 0;
    while (read < 1_000_000 && inbox.tryRead()) read++;
    assertLess(read, 1_000_000);
    if (turns >= 3) break;
  }
  clearInterval(timer);
  await receiver.stop();
  await poller.release();
  libcpg.calls.close(fd);
});

Deno.test("sending without a pause leaves timers their turn", async () => {
  await using group = await joinFresh();
  let over = false;
  const timer = setTimeout(() => over = true, 100);
  let sent = 0;
  for (; !over && sent < 1_000_000; sent++) await group.send(new Uint8Array());
  clearTimeout(timer);
  assert(over, `${sent} messages, and still no turn for a timer`);
});

/** Has all that is sent at once taken, as by a daemon that always keeps up. */
function keepingUp(): Disposable {
  return stub(Sender.prototype, "send", (_handle, all, from, most) => ({
    count: Math.min(most, all.length - from),
    result: CsError.CS_OK,
  }));
}

Deno.test("sending one by one and at once leaves others their turn", async () => {
  await using group = await joinFresh();
  const message = new Uint8Array();
  // So that the next look at the socket falls to what is sent at once.
  await group.send(message);
  assert(group.trySend(message));
  using _send = keepingUp();
  let over = false;
  const immediate = setImmediate(() => over = true);
  for (let batches = 0; !over; batches++) {
    assertLess(batches, 20, "no turn");
    await group.send(message);
    assertEquals(group.trySendAll(Array(63).fill(message)), 63);
  }
  clearImmediate(immediate);
});

Deno.test("what is tried in one turn does not make sends wait in the next", async () => {
  await using group = await joinFresh();
  const message = new Uint8Array();
  using _send = keepingUp();
  await group.send(message);
  assertEquals(group.trySendAll(Array(600).fill(message)), 600);
  for await (const { type } of group) if (type === "message") break;
  const sent = group.send(message);
  assert(group.trySend(message), "the send waits");
  await sent;
});

Deno.test("who floods himself reads as fast as he sends", async () => {
  await using group = await joinFresh();
  const count = 100_000;
  const data = new Uint8Array(64);
  let [sent, received, ahead] = [0, 0, 0];
  const sending = (async () => {
    for (; sent < count; sent++) await group.send(data);
  })();
  for await (const event of group) {
    if (event.type !== "message") continue;
    ahead = Math.max(ahead, sent - received);
    if (++received === count) break;
  }
  await sending;
  assertLess(ahead, count / 2);
});
