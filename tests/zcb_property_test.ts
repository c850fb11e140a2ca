import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { CpgError, type Group, type ZeroCopyBuffer } from "../mod.ts";
import { node, STARTING } from "./daemon.ts";
import { zeroCopyFiles, zeroCopyMaps } from "./shm.ts";
import {
  descriptors,
  detaches,
  joinFresh,
  noMoreThan,
  nudgeCollector,
  onDeno,
  pattern,
  until,
  within,
} from "./support.ts";

/** How long random sequences are tried, in milliseconds. */
const DURATION = onDeno ? 60_000 : 20_000;

interface Held {
  readonly buffer: ZeroCopyBuffer;
  readonly sends: Promise<unknown>[];
  /** What became of its memory. */
  state: "held" | "freed" | "transferred";
}

/** A group, its buffers, and what its reader is to see. */
class Session {
  readonly group: Group;
  readonly buffers: Held[] = [];
  /** Every message that was not refused, in order. */
  readonly asked: { data: Uint8Array; sent: Promise<boolean> }[] = [];
  readonly received: Uint8Array[] = [];
  readonly reading: Promise<unknown>;

  constructor(group: Group) {
    this.group = group;
    this.reading = this.#read();
  }

  async #read(): Promise<unknown> {
    try {
      for await (const event of this.group) {
        if (event.type === "message") this.received.push(event.data);
      }
    } catch (error) {
      return error;
    }
    return undefined;
  }

  /** A buffer by any number. */
  pick(number: number): Held | undefined {
    return this.buffers[number % this.buffers.length];
  }

  ask(data: Uint8Array, sending: Promise<void>): void {
    const sent = sending.then(() => true, (error) => {
      if (!(error instanceof CpgError)) throw error;
      return false;
    });
    this.asked.push({ data, sent });
  }

  /** What arrived is what was asked for, in order, at least up to `whole`. */
  async check(whole: boolean): Promise<void> {
    const sent = await Promise.all(this.asked.map(({ sent }) => sent));
    const expected = this.asked.map(({ data }) => data);
    if (whole) assertEquals(sent.includes(false), false);
    assert(this.received.length <= expected.length);
    if (whole) assertEquals(this.received.length, expected.length);
    this.received.forEach((data, i) => assertEquals(data, expected[i]));
    for (const { buffer } of this.buffers) {
      assertEquals(buffer.bytes.length, 0);
    }
  }
}

/** One step of a random sequence; it may end the session. */
type Step = (session: Session) => Promise<"go on" | "end">;

const number = fc.nat(1000);
const size = fc.oneof(
  fc.integer({ min: 1, max: 10_000 }),
  fc.integer({ min: 1, max: 1_200_000 }),
);

function step<T>(
  arbitrary: fc.Arbitrary<T>,
  name: string,
  act: (session: Session, value: T) => unknown,
  end: "go on" | "end" = "go on",
): fc.Arbitrary<{ name: string; value: T; run: Step }> {
  return arbitrary.map((value) => ({
    name,
    value,
    run: async (session) => {
      await act(session, value);
      return end;
    },
  }));
}

const steps = fc.oneof(
  {
    weight: 4,
    arbitrary: step(size, "alloc", async (session, size) => {
      const buffer = await session.group.alloc(size);
      assertEquals(buffer.bytes.length, size);
      session.buffers.push({ buffer, sends: [], state: "held" });
    }),
  },
  {
    weight: 4,
    arbitrary: step(number, "write", async (session, seed) => {
      const held = session.pick(seed);
      if (held?.state !== "held") return;
      await Promise.all(held.sends);
      held.buffer.bytes.set(pattern(held.buffer.size, seed));
    }),
  },
  {
    weight: 6,
    arbitrary: step(
      fc.tuple(number, fc.double({ min: 0, max: 1, noNaN: true })),
      "send",
      (session, [number, share]) => {
        const held = session.pick(number);
        if (!held) return;
        const length = Math.floor(share * held.buffer.size);
        const offset = number % 3 === 0 ? held.buffer.size - length : 0;
        const sending = session.group.send(held.buffer, { offset, length });
        if (held.state === "held") {
          const { bytes } = held.buffer;
          session.ask(bytes.slice(offset, offset + length), sending);
          held.sends.push(sending.catch(() => {}));
        } else {
          held.sends.push(sending.then(
            () => assert(false, `A ${held.state} buffer was sent`),
            (error) => assert(error instanceof TypeError),
          ));
        }
      },
    ),
  },
  {
    weight: 2,
    arbitrary: step(size, "send bytes", (session, size) => {
      const data = pattern(size, size);
      session.ask(data, session.group.send(data));
    }),
  },
  {
    weight: 3,
    arbitrary: step(number, "free", (session, number) => {
      const held = session.pick(number);
      if (!held) return;
      const freeing = held.buffer.free();
      if (held.state === "held") held.state = "freed";
      assertEquals(held.buffer.bytes.length, 0);
      // One time in two, what follows does not wait for it.
      return number % 2 === 0 ? freeing : undefined;
    }),
  },
  {
    weight: 1,
    arbitrary: step(number, "transfer", async (session, number) => {
      const held = session.pick(number);
      if (held?.state !== "held" || !detaches) return;
      const moved = new Uint8Array(held.buffer.bytes.buffer.transfer());
      held.state = "transferred";
      await Promise.all(held.sends);
      moved.fill(number);
    }),
  },
  {
    weight: 1,
    arbitrary: step(number, "leave", async (session) => {
      await session.group.leave();
      assertEquals(await session.reading, undefined);
      await session.check(true);
    }, "end"),
  },
  {
    weight: 1,
    arbitrary: step(number, "close", async (session) => {
      await session.group.close();
      assertEquals(await session.reading, undefined);
      await session.check(false);
    }, "end"),
  },
  {
    weight: 1,
    arbitrary: step(number, "restart", async (session) => {
      await node.kill();
      try {
        assert(await session.reading instanceof CpgError);
        await session.group.close();
        await session.check(false);
      } finally {
        await node.start();
      }
    }, "end"),
  },
);

function state(): { maps: number; descriptors: number; files: string[] } {
  return {
    maps: zeroCopyMaps().length,
    descriptors: descriptors(),
    files: zeroCopyFiles(),
  };
}

Deno.test("random sequences neither crash, nor leak, nor lose a message", async () => {
  const before = state();
  let runs = 0;
  let taken = 0;
  let transferred = 0;
  const property = fc.asyncProperty(
    fc.array(steps, { minLength: 1, maxLength: 60, size: "max" }),
    async (sequence) => {
      runs++;
      let session: Session | undefined;
      const end = async () => {
        transferred += session!.buffers
          .filter(({ state }) => state === "transferred").length;
        for (const { sends } of session!.buffers) await Promise.all(sends);
        session = undefined;
      };
      for (const { name, run } of sequence) {
        session ??= new Session(await joinFresh());
        taken++;
        const next = await within(name, run(session), STARTING);
        if (next === "end") await end();
      }
      if (session) {
        await session.group.leave();
        await session.reading;
        await session.check(true);
        await end();
      }
    },
  );
  // In batches: an interrupted sequence would leave its session behind.
  const end = Date.now() + DURATION;
  while (Date.now() < end || runs < 20) {
    await fc.assert(property, { numRuns: 10 });
  }
  console.log(`${runs} sequences, ${taken} steps`);
  // What was transferred away stays mapped until the process ends.
  await until("everything to be freed", () => {
    // What a lost daemon leaves in use waits for the collector.
    nudgeCollector();
    const now = state();
    const unmapped = now.maps === before.maps + transferred;
    return (unmapped || !detaches) && noMoreThan(before.descriptors) &&
      now.files.length === 0;
  }).catch(() => assertEquals(state(), before));
});
