/** What a receiver makes of the events that it is given. */
import { assertEquals } from "@std/assert";
import type { GroupEvent, Member } from "../events.ts";
import { CsError } from "../ffi.ts";
import { openLibcpg } from "../libcpg.ts";
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
  steps: string[] = [],
): Promise<GroupEvent[]> {
  const libcpg = openLibcpg();
  const fd = libcpg.calls.eventfd(1, 0);
  const poller = Poller.of(libcpg);
  poller.hold();
  const taken: GroupEvent[] = [];
  const receiver = new Receiver(
    { libcpg, fd, handle: 0n, progress: () => steps.push("sends") },
    {
      run(_handle, _room, _mayLend, take) {
        steps.push("dispatch");
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

Deno.test("sends that wait go before each dispatch, and only then", async () => {
  const steps: string[] = [];
  await received(
    [[change([self, other])], [message, message], [message]],
    (_, taken) => until("the last message", () => taken.length >= 4),
    steps,
  );
  const step = ["sends", "dispatch"];
  assertEquals(steps.slice(0, 6), [...step, ...step, ...step]);
});
