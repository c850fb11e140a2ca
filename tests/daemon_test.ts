import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { CpgError, type Group, groups } from "../mod.ts";
import { node, revived } from "./daemon.ts";
import { zeroCopyFiles, zeroCopyMaps } from "./shm.ts";
import {
  checkFreed,
  descriptors,
  joinFresh,
  messages,
  noMoreThan,
  nudgeCollector,
  onDeno,
  pattern,
  run,
  text,
  until,
  within,
} from "./support.ts";

/** For how many milliseconds this thread could have run, but others did. */
function waited(): number {
  const schedstat = Deno.readTextFileSync("/proc/thread-self/schedstat");
  return Number(schedstat.split(" ")[1]) / 1e6;
}

/**
 * Has a timer of 10 ms run, and says by how much it is late at worst because
 * of what this thread does, rather than of what others do.
 */
function watchTimer(): () => number {
  let worst = 0;
  let last = performance.now() - waited();
  const timer = setInterval(() => {
    const now = performance.now() - waited();
    worst = Math.max(worst, now - last - 10);
    last = now;
  }, 10);
  return () => {
    clearInterval(timer);
    return worst;
  };
}

/** Runs a test with the daemon frozen from a moment of its choice on. */
async function thawed(test: () => Promise<void>): Promise<void> {
  try {
    await test();
  } finally {
    await node.thaw();
  }
}

/**
 * The zero-copy buffers that this process has mapped, but for those of before:
 * when these go is the collector's to say.
 */
function maps(before: string[] = []): string[] {
  return zeroCopyMaps().filter((name) => !before.includes(name));
}

/** What a stream ends with. */
async function endOf(group: Group): Promise<unknown> {
  const reader = group[Symbol.asyncIterator]();
  let end: unknown;
  for (let reading = true; reading;) {
    await reader.next().then(
      ({ done }) => reading = !done,
      (error) => [reading, end] = [false, error],
    );
  }
  return end;
}

Deno.test("a killed daemon ends the stream with an error, after what was read", async () => {
  await revived(async () => {
    const group = await joinFresh();
    await group.send(text("before"));
    assertEquals(await messages(group, 1), [text("before")]);
    const ending = within("the end of the stream", endOf(group));
    await node.kill();
    const error = await ending;
    assert(error instanceof CpgError);
    assertEquals(error.code, "CS_ERR_LIBRARY");
    const closed = await assertRejects(() => group.send(text("x")), CpgError);
    assertEquals(closed.code, "CS_ERR_BAD_HANDLE");
    assertEquals(closed.cause, error);
    await group.close();
  });
});

Deno.test("what was queued before the daemon died can still be read", async () => {
  await revived(async () => {
    const group = await joinFresh();
    for (let i = 0; i < 10; i++) await group.send(pattern(10, i));
    // Turns of the event loop, for the inbox to fill.
    for (let i = 0; i < 500; i++) await group.members();
    await node.kill();
    let count = 0;
    const reading = (async () => {
      for await (const event of group) {
        if (event.type === "message") {
          assertEquals(event.data, pattern(10, count++));
        }
      }
    })();
    await assertRejects(() => reading, CpgError);
    assert(count > 0);
    await group.close();
  });
});

Deno.test("dispatching pauses right at the high-water mark", async () => {
  await revived(async () => {
    const group = await joinFresh({ highWaterMark: 10_000 });
    for (let i = 0; i < 500; i++) await group.send(pattern(1000, i));
    // Turns of the event loop, for the inbox to fill.
    for (let i = 0; i < 500; i++) await group.members();
    await node.kill();
    // When the loss is known, only what is in the inbox is left to read.
    await assertRejects(async () => {
      while (true) await group.members();
    }, CpgError);
    let count = 0;
    const reading = (async () => {
      for await (const event of group) if (event.type === "message") count++;
    })();
    await assertRejects(() => reading, CpgError);
    assert(count > 0 && count < 12, `${count} messages`);
    await group.close();
  });
});

/** Keeps a view of a buffer while the daemon is killed amid sends of that. */
async function keepView(): Promise<void> {
  const group = await joinFresh();
  const buffer = await group.alloc(1_000_000);
  const { bytes } = buffer;
  const sending = (async () => {
    for (;;) await group.send(buffer);
  })();
  const failed = assertRejects(() => sending, CpgError);
  const ending = endOf(group);
  await node.kill();
  await within("the send to fail", failed);
  assert(await ending instanceof CpgError);
  await within("the group to close", group.close());
  checkFreed(bytes);
  await buffer.free();
}

Deno.test("a view kept when the daemon dies is empty", async () => {
  await revived(async () => {
    const before = maps();
    await keepView();
    // The memory itself stays for as long as something may be reading it.
    await until("the memory to be collected", () => {
      nudgeCollector();
      return maps(before).length === 0;
    });
    assertEquals(zeroCopyFiles(), []);
  });
});

/** Reads a pipe into a buffer, and says how to fill that and where it went. */
async function slowRead(bytes: Uint8Array): Promise<{
  write(text: string): Promise<void>;
  reading: Promise<number | null>;
}> {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/pipe`;
  await run("mkfifo", [path]);
  // Opened for both, a pipe does not wait for the other end.
  const options = { read: true, write: true };
  const [input, output] = [
    Deno.openSync(path, options),
    Deno.openSync(path, options),
  ];
  await Deno.remove(folder, { recursive: true });
  const reading = input.read(bytes).finally(() => input.close());
  return {
    reading,
    write: async (said) => {
      await output.write(text(said));
      output.close();
    },
  };
}

Deno.test("what is being read into a buffer that goes does not come into another", async () => {
  // Reading takes a thread, of which other runtimes have few.
  const length = onDeno ? 10 : 1;
  await revived(async () => {
    for (const end of ["free", "leave", "close", "loss"] as const) {
      const group = await joinFresh({ reconnect: true });
      const old = await Promise.all(
        Array.from({ length }, () => group.alloc(65_536)),
      );
      const reads = await Promise.all(old.map(({ bytes }) => slowRead(bytes)));
      if (end === "loss") {
        await node.kill();
        await node.start();
      } else if (end === "free") {
        await Promise.all(old.map((buffer) => buffer.free()));
      } else {
        await group[end]();
      }
      await using other = await joinFresh();
      const fresh = await Promise.all(
        Array.from({ length }, () => other.alloc(65_536)),
      );
      await Promise.all(reads.map(({ write }) => write("late")));
      for (const { reading } of reads) assertEquals(await reading, 4);
      for (const { bytes } of fresh) assert(bytes.every((byte) => byte === 0));
      await group.close();
    }
  });
});

Deno.test("an allocation that the daemon's death interrupts leaves nothing behind", async () => {
  await revived(async () => {
    const before = maps();
    const group = await joinFresh();
    await node.freeze();
    const failed = assertRejects(() => group.alloc(123_456), CpgError);
    await until("the file to be there", () => maps(before).length > 0);
    await node.kill();
    await within("the allocation to fail", failed);
    await within("the group to close", group.close());
    assertEquals(maps(before), []);
    assertEquals(zeroCopyFiles(), []);
  });
});

Deno.test("while the daemon is stopped the event loop turns, and then all goes on", async () => {
  await thawed(async () => {
    const group = await joinFresh();
    const [other, leaving, closing] = await Promise.all([
      joinFresh(),
      joinFresh(),
      joinFresh(),
    ]);
    using buffer = await group.alloc(1_000_000);
    buffer.bytes.set(pattern(1_000_000));
    const bytes = pattern(3_000_000);
    const small = Array.from({ length: 1000 }, (_, i) => pattern(1000, i));
    await node.freeze();
    const frozen = performance.now();
    const late = watchTimer();
    const sending = [
      group.send(buffer),
      group.send(text("small")),
      group.send(bytes),
    ];
    // Far more than fits into the ring and the socket.
    const flood = Promise.all(small.map((data) => other.send(data)));
    const waiting = [
      group.members(),
      group.alloc(10),
      joinFresh(),
      Array.fromAsync(groups()),
      leaving.leave(),
      closing.close(),
    ] as const;
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    const lateness = late();
    console.log(`  the timer was ${lateness.toFixed(0)} ms late at worst`);
    // A call that waited for the daemon would make it late by all of that time.
    assertLess(lateness, (performance.now() - frozen) / 20);
    await node.thaw();
    const received = await messages(group, 3);
    assertEquals(received, [pattern(1_000_000), text("small"), bytes]);
    assertEquals(await messages(other, small.length), small);
    await Promise.all([...sending, flood]);
    const [, , third] = await Promise.all(waiting);
    await third.leave();
    await group.leave();
    await other.leave();
  });
});

Deno.test("a signal gets the caller out while the daemon is stopped", async () => {
  await thawed(async () => {
    const before = descriptors();
    const group = await joinFresh();
    const other = await joinFresh();
    using buffer = await group.alloc(100);
    await node.freeze();
    const controller = new AbortController();
    const { signal } = controller;
    const pending = [
      group.send(buffer, { signal }),
      group.send(text("behind it"), { signal }),
      group.members({ signal }),
      joinFresh({ signal }),
      other.leave({ signal }),
      groups({ signal }).next(),
    ].map((promise) => assertRejects(() => promise, Error, "enough"));
    controller.abort(new Error("enough"));
    await within("all to reject", Promise.all(pending), 1000);
    await assertRejects(
      () => group.close({ signal: AbortSignal.timeout(10) }),
      DOMException,
    );
    const closing = group.close();
    const refused = assertRejects(() => group.members(), CpgError, "is closed");
    await within("use after close to be refused", refused, 1000);
    await node.thaw();
    await within("close", closing);
    await within("leave", other.leave());
    // What was given up goes on in C, and is then cleaned up.
    await until("nothing to be left", () => noMoreThan(before));
  });
});
