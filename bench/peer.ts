/**
 * A member of a group that does what the lines of its standard input say, and
 * answers each with a line of JSON. peer.c is the same in C.
 *
 *     flood SIZE MILLISECONDS [MOST]   sends to itself as fast as it goes
 *     zcb SIZE MILLISECONDS            the same from a zero-copy buffer
 *     receive                          counts another member's flood
 *     trips SIZE MILLISECONDS          times messages to itself, one by one
 *
 * An empty message ends a flood. Messages are lent, as C's are, unless the
 * second argument is `keep`.
 *
 * @module
 */
import process from "node:process";
import { type Group, type GroupEvent, join } from "../mod.ts";
import { TextLineStream } from "./lines.ts";
import type { Flood, Trips } from "./programs.ts";

/** The interval of the timer whose lateness is measured, in milliseconds. */
const TICK = 10;

/** Messages sent before the next are waited for. */
const BURST = 64;

/** What messages consist of; peer.c says why. */
const CONTENT = 1;

const lines = Deno.stdin.readable
  .pipeThrough(new TextDecoderStream())
  .pipeThrough(new TextLineStream());

/** Processor time of this process, in seconds. */
function cpu(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Measures by how much a timer is late at worst, in milliseconds. */
function lateness(): () => number {
  let worst = 0;
  let due = performance.now() + TICK;
  let timer = setTimeout(function tick() {
    const now = performance.now();
    worst = Math.max(worst, now - due);
    due = now + TICK;
    timer = setTimeout(tick, TICK);
  }, TICK);
  return () => {
    clearTimeout(timer);
    return Math.max(worst, performance.now() - due);
  };
}

/** Measures from now on; the result says what was until then. */
function measure(): (messages: number) => Flood {
  const [start, startCpu, late] = [performance.now(), cpu(), lateness()];
  return (messages) => ({
    messages,
    seconds: (performance.now() - start) / 1000,
    cpu: cpu() - startCpu,
    late: late(),
    resident: Deno.memoryUsage().rss,
  });
}

/** Reads messages up to the empty one. */
async function read(group: Group, each: () => void): Promise<void> {
  for await (const first of group) {
    let event: GroupEvent | undefined = first;
    for (; event; event = group.tryRead()) {
      if (event.type !== "message") continue;
      if (event.data.length === 0) return;
      each();
    }
  }
}

async function flood(
  group: Group,
  size: number,
  milliseconds: number,
  most = Infinity,
  zeroCopy = false,
): Promise<Flood> {
  const buffer = zeroCopy ? await group.alloc(size) : undefined;
  const data = new Uint8Array(size).fill(CONTENT);
  const others = Array.from({ length: BURST - 1 }, () => data);
  buffer?.bytes.fill(CONTENT);
  let [sent, received] = [0, 0];
  let result: Flood | undefined;
  const stop = measure();
  const timer = setTimeout(() => result = stop(received), milliseconds);
  const sending = (async () => {
    if (buffer) {
      for (; !result && sent < most; sent++) await group.send(buffer);
    } else {
      while (!result && sent < most) {
        await group.send(data);
        sent++;
        sent += group.trySendAll(others.slice(0, most - sent));
      }
    }
    clearTimeout(timer);
    result ??= stop(received);
    await group.send(new Uint8Array());
    return result;
  })();
  await read(group, () => received++);
  await sending;
  await buffer?.free();
  return await sending;
}

/** What another member's flood was, as seen from here. */
async function receive(group: Group): Promise<Flood> {
  let received = 0;
  let stop = measure();
  console.log("{}"); // The sender may begin.
  await read(group, () => {
    if (received++ === 0) {
      stop(0);
      stop = measure();
    }
  });
  return stop(received);
}

async function trips(
  group: Group,
  size: number,
  milliseconds: number,
): Promise<Trips> {
  const data = new Uint8Array(size).fill(CONTENT);
  const times: number[] = [];
  const end = performance.now() + milliseconds;
  let start = performance.now();
  await group.send(data);
  for await (const event of group) {
    if (event.type !== "message") continue;
    const now = performance.now();
    times.push((now - start) * 1000);
    start = now;
    if (now > end) break;
    await group.send(data);
  }
  times.sort((a, b) => a - b);
  return {
    p50: times[Math.floor(times.length / 2)],
    p99: times[Math.floor(times.length * 0.99)],
  };
}

const [name, mode] = Deno.args;
const group = await join(name, { lend: mode !== "keep" });
console.log("{}");
for await (const line of lines) {
  const [verb, ...numbers] = line.split(" ");
  const [size, milliseconds, most] = numbers.map(Number);
  const result = verb === "flood"
    ? await flood(group, size, milliseconds, most)
    : verb === "zcb"
    ? await flood(group, size, milliseconds, most, true)
    : verb === "trips"
    ? await trips(group, size, milliseconds)
    : await receive(group);
  console.log(JSON.stringify(result));
}
await group.leave();
