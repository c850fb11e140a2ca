/** What a receiver makes of the events that it is given. */
import { assertEquals } from "@std/assert";
import type { GroupEvent, Member } from "../events.ts";
import { stub } from "@std/testing/mock";
import type { CpgError } from "../errors.ts";
import { CsError } from "../ffi.ts";
import { openLibcpg } from "../libcpg.ts";
import { NativeMemory } from "../memory.ts";
import { Poller } from "../poller.ts";
import { Receiver } from "../receiver.ts";
import { until, within } from "./support.ts";

const self = { nodeId: 1, pid: 1 };
const other = { nodeId: 2, pid: 2 };

function change(members: Member[], left: Member[] = []): GroupEvent {
  const reason = "leave";
  return {
    type: "membership",
    members,
    joined: [],
    left: left.map((member) => ({ ...member, reason })),
  };
}

const message: GroupEvent = {
  type: "message",
  data: new Uint8Array(),
  sender: other,
};

/** What goes into the inbox of what some calls of `cpg_dispatch` bring. */
async function received(
  calls: GroupEvent[][],
  done: (receiver: Receiver, taken: GroupEvent[]) => Promise<void>,
): Promise<GroupEvent[]> {
  const libcpg = openLibcpg();
  const fd = libcpg.calls.eventfd(1, 0);
  const poller = Poller.of(libcpg);
  poller.hold();
  const taken: GroupEvent[] = [];
  const receiver = new Receiver(
    { libcpg, fd, handle: 0n, progress: () => false },
    {
      run(_handle, _room, _mayLend, take) {
        for (const event of calls.shift() ?? []) take(event);
        return CsError.CS_ERR_TRY_AGAIN;
      },
    },
    false,
    { room: 1, idle: true, push: (event) => taken.push(event) },
    self,
    () => {},
  );
  receiver.resume();
  await done(receiver, taken);
  await receiver.stop();
  await poller.release();
  libcpg.calls.close(fd);
  return taken;
}

Deno.test("nothing comes after the own departure", async () => {
  const arrival = change([self, other]);
  const departure = change([other], [self]);
  const taken = await received(
    [[arrival, message, departure, message]],
    (receiver) => within("the departure", receiver.untilDeparture()),
  );
  assertEquals(taken, [arrival, message, departure]);
});

Deno.test("a list of members without oneself is no departure", async () => {
  const events = [change([self, other]), change([other]), message];
  const taken = await received(
    events.map((event) => [event]),
    (_, taken) => until("the message", () => taken.length >= 3),
  );
  assertEquals(taken, events);
});

Deno.test("what breaks as the reader asks for more is told", async () => {
  const libcpg = openLibcpg();
  const { calls } = libcpg;
  const fd = calls.eventfd(1, 0);
  const poller = Poller.of(libcpg);
  poller.hold();
  // The reader's turn is a thousandth of a second: enough to be in it here.
  const now = performance.now.bind(performance);
  using _clock = stub(performance, "now", () => now() / 100);
  const failure = Promise.withResolvers<CpgError | number>();
  let taken = 0;
  const receiver = new Receiver(
    { libcpg, fd, handle: 0n, progress: () => false },
    {
      run(_handle, _room, _mayLend, take) {
        if (taken > 0) return CsError.CS_ERR_BAD_HANDLE;
        const count = new NativeMemory(libcpg, 8);
        calls.read(fd, count.address, 8n); // Nothing is left to read.
        count.free();
        take(message);
        return CsError.CS_OK;
      },
    },
    false,
    { room: 1, idle: true, push: () => taken++ },
    self,
    failure.resolve,
  );
  receiver.resume();
  await until("the message", () => taken === 1);
  receiver.pull();
  assertEquals(
    await within("the failure", failure.promise),
    CsError.CS_ERR_BAD_HANDLE,
  );
  await receiver.stop();
  await poller.release();
  calls.close(fd);
});
