/** Receives the payloads and checks them; ends when the sender has left. */
import { join, type Member } from "../../mod.ts";
import {
  type Announcement,
  bytes,
  GROUP,
  PAYLOADS,
  sha256,
  show,
  SIZE,
} from "./protocol.ts";

const say = (text: string) => console.log(`[receiver] ${text}`);

await using group = await join(GROUP);
say(`I am ${show(group.self)}, listening`);
let sender: Member | undefined;
let expected: readonly string[] = [];
let received = 0;
for await (const event of group) {
  if (event.type === "membership") {
    for (const member of event.joined) say(`joined: ${show(member)}`);
    for (const member of event.left) {
      say(`left: ${show(member)} (${member.reason})`);
    }
    say(`members now: ${event.members.map(show).join(", ")}`);
    if (event.left.some(isSender)) break;
  } else if (event.type === "message") {
    say(`message of ${bytes(event.data.length)} from ${show(event.sender)}`);
    const announcement = parse(event.data);
    if (announcement) {
      sender = event.sender;
      expected = announcement.sha256;
    } else if (isSender(event.sender)) {
      const digest = await sha256(event.data);
      if (event.data.length !== SIZE || digest !== expected[received]) {
        say(`  WRONG: its SHA-256 is ${digest}, not ${expected[received]}`);
        Deno.exit(1);
      }
      say(`  its SHA-256 ${digest.slice(0, 16)}… is the announced one`);
      received++;
    }
  }
}
if (received !== PAYLOADS) {
  say(`WRONG: ${received} payloads came, not ${PAYLOADS}`);
  Deno.exitCode = 1;
}

function isSender({ nodeId, pid }: Member): boolean {
  return nodeId === sender?.nodeId && pid === sender.pid;
}

/** The announcement, or nothing if the message is something else. */
function parse(data: Uint8Array): Announcement | undefined {
  if (data.length > 1000) return undefined;
  try {
    const value = JSON.parse(new TextDecoder().decode(data));
    return Array.isArray(value?.sha256) ? value : undefined;
  } catch {
    return undefined;
  }
}
