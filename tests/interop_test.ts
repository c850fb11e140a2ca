import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "../mod.ts";
import { program, testWithC } from "./c.ts";
import { ffiOnly, freshName, until, within } from "./support.ts";

const demo = (file: string) =>
  new URL(`../examples/demo/${file}`, import.meta.url).pathname;

function start(command: string, args: string[]): Deno.ChildProcess {
  return new Deno.Command(command, {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Waits until a group has a member, joining it for a look. */
async function occupied(name: string): Promise<void> {
  await until(`a member of ${name}`, async () => {
    const group = await join(name);
    const { length } = await group.members();
    await group.leave();
    return length > 1;
  });
}

async function output(process: Deno.ChildProcess): Promise<string> {
  const { code, stdout, stderr } = await within(
    "the end of a program",
    process.output(),
  );
  const [out, err] = [stdout, stderr].map((bytes) =>
    new TextDecoder().decode(bytes)
  );
  assertEquals({ code, err }, { code: 0, err: "" }, out);
  return out;
}

testWithC("the demo's receiver gets what a C program sends", async () => {
  await using peer = await program("peer.c");
  const group = freshName();
  const receiver = start(Deno.execPath(), [
    ...ffiOnly,
    demo("receiver.ts"),
    group,
  ]);
  await occupied(group);
  const file = `${peer.folder}/message`;
  await Deno.writeTextFile(file, "thirty-one bytes of text from C");
  const sender = start(peer.path, ["send", group, file]);
  await output(sender);
  const demoSender = start(Deno.execPath(), [
    ...ffiOnly,
    demo("sender.ts"),
    group,
  ]);
  await output(demoSender);
  assertStringIncludes(
    await output(receiver),
    `message of 31 bytes from process ${sender.pid} on node`,
  );
});

testWithC("a C program gets what the demo sends", async () => {
  await using peer = await program("peer.c");
  const group = freshName();
  const count = 3; // The announcement and two payloads.
  const receiver = start(peer.path, [
    "receive",
    group,
    String(count),
    peer.folder,
  ]);
  await occupied(group);
  const sender = start(Deno.execPath(), [
    ...ffiOnly,
    demo("sender.ts"),
    group,
  ]);
  await Promise.all([output(sender), output(receiver)]);
  const { sha256 } = JSON.parse(await Deno.readTextFile(`${peer.folder}/0`));
  for (const [i, expected] of sha256.entries()) {
    const payload = await Deno.readFile(`${peer.folder}/${i + 1}`);
    const digest = await crypto.subtle.digest("SHA-256", payload);
    assertEquals(payload.length, 1_000_000);
    assertEquals(new Uint8Array(digest).toHex(), expected);
  }
});
