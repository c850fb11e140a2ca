/**
 * The ways to fill a zero-copy buffer without a copy in between: its `bytes`
 * are a `Uint8Array` like any other, over memory that the daemon shares.
 *
 * Run it on a node of a cluster:
 *
 *     deno run --allow-ffi --allow-read examples/fill_buffer.ts
 */
import { join, type Message } from "../mod.ts";

await using group = await join("fill-buffer");
using buffer = await group.alloc(65_536);

/** Sends the first bytes of the buffer, and shows what arrives. */
async function send(what: string, length: number): Promise<void> {
  await group.send(buffer, { length });
  const { data } = await nextMessage();
  console.log(`${what}: ${data.length} bytes, first ${data.slice(0, 4)}`);
}

async function nextMessage(): Promise<Message> {
  for await (const event of group) if (event.type === "message") return event;
  throw new Error("The stream ended");
}

// Text, encoded right into the shared memory.
const { written } = new TextEncoder().encodeInto("€ 17.50", buffer.bytes);
await send("text", written);

// Bytes that are there already: this one is a copy.
buffer.bytes.set(new Uint8Array([1, 2, 3, 4]));
await send("bytes", 4);

// Numbers, by a view.
const view = new DataView(buffer.bytes.buffer);
view.setUint32(0, 0xdeadbeef);
view.setFloat64(4, Math.PI);
await send("numbers", 12);

// A file, read by the kernel right into the shared memory.
using file = await Deno.open(new URL("../LICENSE", import.meta.url));
const read = await file.read(buffer.bytes);
await send("file", read ?? 0);
