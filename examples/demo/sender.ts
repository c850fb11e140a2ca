/** Sends two payloads from one zero-copy buffer, then leaves. */
import { join } from "../../mod.ts";
import {
  type Announcement,
  bytes,
  GROUP,
  PAYLOADS,
  sha256,
  show,
  SIZE,
} from "./protocol.ts";

const say = (text: string) => console.log(`[sender]   ${text}`);

const group = await join(GROUP);
say(`I am ${show(group.self)}, waiting for somebody to send to`);
for await (const event of group) {
  if (event.type === "membership" && event.members.length > 1) break;
}

// Random enough for a checksum to tell, and not to be guessed by a receiver.
const payloads = Array.from({ length: PAYLOADS }, () => {
  const payload = new Uint8Array(SIZE);
  for (let at = 0; at < SIZE; at += 65_536) {
    crypto.getRandomValues(payload.subarray(at, at + 65_536));
  }
  return payload;
});
const announcement: Announcement = {
  sha256: await Promise.all(payloads.map(sha256)),
};
await group.send(new TextEncoder().encode(JSON.stringify(announcement)));

const buffer = await group.alloc(SIZE);
say(
  `allocated a buffer of ${bytes(buffer.size)}, ` +
    (buffer.zeroCopy
      ? "shared with the daemon (cpg_zcb_alloc)"
      : "not shared: this corosync has no zero copy any more"),
);
for (const [i, payload] of payloads.entries()) {
  buffer.bytes.set(payload);
  await group.send(buffer);
  say(
    `message ${i + 1} sent from it (cpg_zcb_mcast_joined), SHA-256 ${
      announcement.sha256[i].slice(0, 16)
    }…`,
  );
}
await buffer.free();
say(`freed the buffer; its view now has ${bytes(buffer.bytes.length)}`);
await group.leave();
say("left the group");
