/**
 * A member of a group that sends at random and keeps a journal; tests/c/member.c
 * is the same in C.
 *
 *   member.ts GROUP JOURNAL [reconnect]
 *
 * A message is its number, the CRC-32 of the rest, and random bytes. The
 * journal has a line for each event, as journal.ts reads it.
 *
 * On standard input it takes:
 *
 *   send COUNT LARGEST PAUSE_US   sends so many, of 1 byte to LARGEST
 *   stop                          sends no more
 *   late                          asks how late a timer was at worst since
 *   leave                         leaves the group and ends
 *
 * On standard output it says `joined NODE:PID`, `sent NUMBER` when all is sent
 * and after `stop`, `late MS`, and `left`.
 */
import { crc32 } from "node:zlib";
import { CpgError, join } from "../../mod.ts";

const HEADER = 8;
/** How many sends may be under way. */
const AT_ONCE = 8;
/** How often the event loop is looked at, in milliseconds. */
const BEAT = 10;

const [name, path, ...flags] = Deno.args;
// To append, so that it may be truncated meanwhile.
const journal = Deno.openSync(path, { append: true, create: true });
const encoder = new TextEncoder();

function note(line: string): void {
  journal.writeSync(encoder.encode(line + "\n"));
}

function list(members: readonly { nodeId: number; pid: number }[]): string {
  return members.map(({ nodeId, pid }) => `${nodeId}:${pid}`).join();
}

const group = await join(name, { reconnect: flags.includes("reconnect") });
console.log(`joined ${list([group.self])}`);

async function read(): Promise<void> {
  for await (const event of group) {
    if (event.type === "message") {
      const { data, sender } = event;
      const view = new DataView(data.buffer);
      const whole = data.length >= HEADER &&
        view.getUint32(4, true) === crc32(data.subarray(HEADER));
      const number = data.length >= HEADER ? view.getUint32(0, true) : 0;
      const kind = whole ? "m" : "x";
      note(`${kind} ${list([sender])} ${number} ${data.length}`);
    } else if (event.type === "membership") {
      const { members, joined } = event;
      const left = event.left.map((one) => `${list([one])}:${one.reason}`);
      note(`c ${list(members)} ${list(joined)} ${left}`);
    } else if (event.type === "ring") {
      const { ringId: { nodeId, seq }, nodes } = event;
      note(`g ${nodeId}:${seq} ${nodes.join()}`);
    } else if (event.type === "disconnected") {
      note(`d ${event.error.code}`);
    } else {
      note(`r ${list(event.members)}`);
    }
  }
}

const random = new Uint8Array(65_536);
crypto.getRandomValues(random);

/** Makes a message, at random places of what is random already. */
function fill(bytes: Uint8Array<ArrayBuffer>, number: number): void {
  for (let at = HEADER; at < bytes.length;) {
    const from = Math.floor(Math.random() * random.length);
    const piece = random.subarray(from, from + bytes.length - at);
    bytes.set(piece, at);
    at += piece.length;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint32(0, number, true);
  view.setUint32(4, crc32(bytes.subarray(HEADER)), true);
}

let next = 0;
let sending = 0; // grows with each order, and each ends the one before
let lastOrder = Promise.resolve();

/** Sends one message, some of them from memory shared with the daemon. */
async function send(largest: number): Promise<void> {
  const size = HEADER + 1 + Math.floor(Math.random() * largest);
  let number: number | undefined;
  try {
    if (Math.random() < 0.5) {
      using buffer = await group.alloc(size);
      // Numbers are in the order of the sends.
      fill(buffer.bytes, number = next++);
      await group.send(buffer);
    } else {
      const bytes = new Uint8Array(size);
      fill(bytes, number = next++);
      await group.send(bytes);
    }
    note(`s ${number}`);
  } catch (error) {
    const [code, delivery] = error instanceof CpgError
      ? [error.code, error.delivery]
      : [error];
    note(`f ${number ?? ""} ${code} ${delivery ?? ""}`);
  }
}

async function sendAll(
  count: number,
  largest: number,
  pause: number,
): Promise<void> {
  const order = ++sending;
  const started = performance.now();
  const underWay = new Set<Promise<void>>();
  for (let i = 0; i < count && order === sending; i++) {
    const due = started + i * pause / 1_000;
    const wait = due - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const one = send(largest).finally(() => underWay.delete(one));
    underWay.add(one);
    if (underWay.size >= AT_ONCE) await Promise.race(underWay);
  }
  await Promise.all(underWay);
  if (order === sending) console.log(`sent ${next}`);
}

let late = 0;
let last = performance.now();
setInterval(() => {
  const now = performance.now();
  late = Math.max(late, now - last - BEAT);
  last = now;
}, BEAT);

async function obey(line: string): Promise<void> {
  const [order, ...numbers] = line.split(" ");
  if (order === "send") {
    const [count, largest, pause] = numbers.map(Number);
    lastOrder = sendAll(count, largest, pause);
  } else if (order === "stop") {
    sending++;
    lastOrder.then(() => console.log(`sent ${next}`));
  } else if (order === "late") {
    console.log(`late ${late.toFixed(0)}`);
    late = 0;
  } else if (order === "leave") {
    await group.leave();
  }
}

async function listen(): Promise<void> {
  const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
  let text = "";
  for await (const chunk of lines) {
    const [...complete] = (text + chunk).split("\n");
    text = complete.pop()!;
    for (const line of complete) await obey(line);
  }
}

listen();
try {
  await read();
  console.log("left");
  Deno.exit(0);
} catch (error) {
  note(`e ${error instanceof CpgError ? error.code : error}`);
  console.error(error);
  Deno.exit(1);
}
