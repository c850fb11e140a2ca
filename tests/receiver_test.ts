/** What a receiver makes of the events that it is given. */
import process from "node:process";
import { assertEquals } from "@std/assert";
import { stub } from "@std/testing/mock";
import type { GroupEvent, Member } from "../events.ts";
import { CsError, viewOf } from "../ffi.ts";
import { openLibcpg } from "../libcpg.ts";
import { NativeMemory } from "../memory.ts";
import { Poller, POLLIN } from "../poller.ts";
import { Receiver } from "../receiver.ts";
import { denoTest, until, within } from "./support.ts";

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

/** How things stand. */
interface State {
  /** How much is wanted. */
  room: number;
  /** Whether there is room for sends that wait. */
  sendsHaveRoom: boolean;
}

/**
 * What goes into the inbox of what some calls of `cpg_dispatch` bring, while
 * somebody else waits for what does not come.
 *
 * @param note Told of each step, and may change how much is wanted, and whether
 * there is room for sends that wait.
 */
async function received(
  calls: GroupEvent[][],
  done: (receiver: Receiver, taken: GroupEvent[]) => Promise<void>,
  note: (step: string, state: State) => void = () => {},
): Promise<GroupEvent[]> {
  let atWork = false;
  const { calls: real, ...library } = openLibcpg();
  const libcpg = {
    ...library,
    calls: {
      ...real,
      ppoll(fds: bigint, count: bigint, longest: bigint, mask: bigint) {
        const [, nanoseconds] = new BigUint64Array(viewOf(longest, 16));
        if (nanoseconds > 0n && atWork) note("sleep", inbox);
        return real.ppoll(fds, count, longest, mask);
      },
    },
  };
  const nonblocking = 0o4000;
  const [fd, quiet] = [real.eventfd(1, nonblocking), real.eventfd(0, 0)];
  const count = new NativeMemory(libcpg, 8);
  const poller = Poller.of(libcpg);
  poller.hold();
  const another = poller.watch(quiet, POLLIN, () => {});
  const taken: GroupEvent[] = [];
  const push = (event: GroupEvent) => taken.push(event);
  const inbox = { room: 1, idle: true, push, sendsHaveRoom: false };
  const sendMore = async () => {
    for (let i = 0; i < 10; i++) await null;
    note("more sends", inbox);
  };
  const receiver = new Receiver(
    {
      libcpg,
      fd,
      handle: 0n,
      get hasRoomForWaiting() {
        return inbox.sendsHaveRoom;
      },
      progress() {
        atWork = true;
        note("sends", inbox);
        sendMore();
        return true;
      },
    },
    {
      run(_handle, _room, _mayLend, take) {
        note("dispatch", inbox);
        for (const event of calls.shift() ?? []) take(event);
        if (calls.length > 0) return CsError.CS_OK;
        atWork = false;
        real.read(fd, count.address, 8n); // It is not readable any more.
        return CsError.CS_ERR_TRY_AGAIN;
      },
    },
    false,
    inbox,
    self,
    () => {},
  );
  receiver.resume();
  await done(receiver, taken);
  await receiver.stop();
  await another.cancel();
  await poller.release();
  for (const each of [fd, quiet]) real.close(each);
  count.free();
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

Deno.test("what is behind a part of a message is read when the daemon is gone", async () => {
  const libcpg = openLibcpg();
  const memory = new NativeMemory(libcpg, 8);
  assertEquals(libcpg.calls.socketpair(1, 1, 0, memory.address), 0);
  const [fd, peer] = [0, 4].map((at) => memory.view.getInt32(at, true));
  libcpg.calls.close(peer);
  const poller = Poller.of(libcpg);
  poller.hold();
  const taken: GroupEvent[] = [];
  const calls = [[message], [], [message], [message], [], []];
  const failure = Promise.withResolvers<unknown>();
  const receiver = new Receiver(
    { libcpg, fd, handle: 0n, progress: () => false, hasRoomForWaiting: false },
    {
      run(_handle, _room, _mayLend, take) {
        calls.shift()!.forEach(take);
        return CsError.CS_OK;
      },
    },
    false,
    { room: 1, idle: true, push: (event) => taken.push(event) },
    self,
    failure.resolve,
  );
  receiver.resume();
  const code = await within("the loss", failure.promise);
  assertEquals(code, CsError.CS_ERR_LIBRARY);
  assertEquals(taken.length, 3);
  await receiver.stop();
  await poller.release();
  libcpg.calls.close(fd);
  memory.free();
});

const round = ["sends", "more sends", "dispatch"];

Deno.test("sends that wait go before each dispatch, with those that follow on them", async () => {
  const steps: string[] = [];
  await received(
    [[change([self, other])], [message, message], [message]],
    (_, taken) => until("the last message", () => taken.length >= 4),
    (step) => steps.push(step),
  );
  assertEquals(steps.slice(0, 9), [...round, ...round, ...round]);
});

Deno.test("nothing is dispatched that is no longer wanted after the sends", async () => {
  const steps: string[] = [];
  await received(
    [[change([self, other])], [message]],
    () => until("the second sends", () => steps.length >= 5),
    (step, inbox) => {
      if (step === "sleep") return; // There is nothing more to do.
      steps.push(step);
      if (steps.length === 5) inbox.room = 0;
    },
  );
  assertEquals(steps, [...round, "sends", "more sends"]);
});

Deno.test("who has read that there is no more is given no further turn", async () => {
  // A slow runtime would take longer than a turn for it.
  using _clock = stub(performance, "now", () => 1);
  const steps: string[] = [];
  let pull: () => void;
  await received(
    [[change([self, other])], [message]],
    async (receiver) => {
      pull = () => receiver.pull();
      await until("the message", () => steps.includes("read"));
      for (let i = 0; i < 10; i++) await Poller.of(openLibcpg()).turn();
    },
    (step) => {
      steps.push(step);
      if (step !== "dispatch" || steps.includes("read")) return;
      // The reader goes on as soon as it has the first event.
      Promise.resolve().then(() => {
        steps.push("read");
        pull();
      });
    },
  );
  assertEquals(steps, [...round, "read", "dispatch"]);
});

/**
 * The steps of a reader who goes on as soon as he has something, and never
 * takes longer than a turn, through so many messages.
 */
async function readingOn(
  count: number,
  sendsHaveRoom: boolean,
): Promise<string[]> {
  using _clock = stub(performance, "now", () => 1);
  const steps: string[] = [];
  let pull: () => void;
  await received(
    [
      [change([self, other])],
      ...Array.from({ length: count }, () => [message]),
    ],
    async (receiver, taken) => {
      pull = () => receiver.pull();
      await until("the last message", () => taken.length > count);
    },
    (step, state) => {
      state.sendsHaveRoom = sendsHaveRoom;
      steps.push(step);
      if (step === "dispatch") Promise.resolve().then(() => pull());
    },
  );
  return steps.slice(0, steps.lastIndexOf("dispatch") + 1);
}

Deno.test("a reader is given one dispatch after the other in his turn", async () => {
  const steps = await readingOn(8, false);
  assertEquals(steps, [...round, ...Array(8).fill("dispatch")]);
});

Deno.test("a reader's turn ends where a send that waits has room", async () => {
  const steps = await readingOn(8, true);
  assertEquals(steps, Array(9).fill(round).flat());
});

Deno.test("a reader's turn ends with a clock that is stopped", async () => {
  const steps = await readingOn(25_000, false);
  assertEquals(steps.filter((step) => step === "sends").length, 3);
});

Deno.test("nothing is read while senders have their turn", async () => {
  const steps: string[] = [];
  let pull = () => {};
  await received(
    [[change([self, other])], [message], [message]],
    async (receiver, taken) => {
      pull = () => receiver.pull();
      await until("the last message", () => taken.length > 2);
    },
    (step) => {
      steps.push(step);
      // The reader awaits what he sends.
      if (step === "sends") Promise.resolve().then(() => pull());
    },
  );
  assertEquals(steps.slice(0, 9), [...round, ...round, ...round]);
});

Deno.test("who is far behind reads on where a send that waits has room", async () => {
  const steps = await readingOn(200, true);
  const rounds = steps.filter((step) => step === "sends").length;
  assertEquals(rounds, 128);
  assertEquals(steps.slice(-72), Array(72).fill("dispatch"));
});

Deno.test("this thread does not sleep until senders have gone on", async () => {
  const steps: string[] = [];
  let time = performance.now();
  using _clock = stub(performance, "now", () => time);
  await received(
    [[change([self, other])], ...Array.from({ length: 9 }, () => [message])],
    (_, taken) => until("the last message", () => taken.length >= 10),
    (step) => {
      steps.push(step);
      // Each turn is a rest, which the poller has together with the receiver.
      if (step === "dispatch") time += 20;
    },
  );
  const first = steps.slice(0, 30);
  assertEquals(first, Array.from({ length: 10 }, () => round).flat());
});

denoTest("a program may replace nextTick", async () => {
  using _stub = stub(process, "nextTick", () => {});
  const taken = await received(
    [[change([self, other])], [message]],
    (_, taken) => until("the message", () => taken.length >= 2),
  );
  assertEquals(taken.length, 2);
});
