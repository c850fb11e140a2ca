/**
 * Sends a zero-copy message, and an ordinary one at once behind it, when the
 * daemon has no room for both. Nothing may drain its queue from a line of
 * standard input until this says `sent`; then it prints the sizes that come.
 */
import { once } from "node:events";
import process from "node:process";
import { join } from "../../mod.ts";

/** Of the 3.8 MB of the queue; from three quarters on, nobody may send. */
const FILLING = { messages: 230, size: 10_000 };

const group = await join("full queue");
console.log("joined");
await once(process.stdin, "data");
for (let i = 0; i < FILLING.messages; i++) {
  await group.send(new Uint8Array(FILLING.size));
  await group.members(); // The daemon has it when it answers.
}
const buffer = await group.alloc(1_000_000);
await group.send(buffer);
const sending = group.send(new Uint8Array(1_000_001));
console.log("sent");
await sending;
await group.send(new Uint8Array());
const sizes: number[] = [];
for await (const event of group) {
  if (event.type !== "message") continue;
  if (event.data.length === 0) break;
  if (event.data.length > FILLING.size) sizes.push(event.data.length);
}
console.log(sizes.join());
await group.leave();
