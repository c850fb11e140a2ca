/**
 * The main job on a real corosync: two processes join a group, and one sends
 * the other a million bytes twice, from memory it shares with the daemon.
 *
 * Run it with `deno task demo`.
 */
const say = (text: string) => console.log(`[demo]     ${text}`);

/** One of the two programs, with nothing but the right to load libcpg. */
function start(program: string): Deno.ChildProcess {
  const file = new URL(program, import.meta.url).pathname;
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      "--allow-ffi",
      "--allow-env=CPG_LIBRARY",
      file,
      ...Deno.args,
    ],
  }).spawn();
}

say("Two processes join the group. The sender fills a zero-copy buffer with");
say("1,000,000 bytes and multicasts it twice; the receiver checks every byte.");
const receiver = start("receiver.ts");
const sender = start("sender.ts");
// Where one fails, the other would wait for it.
for (const [one, other] of [[receiver, sender], [sender, receiver]]) {
  one.status.then(({ success }) => {
    if (!success) tryKill(other);
  });
}
const [received, sent] = await Promise.all([receiver.status, sender.status]);

if (received.success && sent.success) {
  say("Every byte arrived.");
} else {
  say(
    `Failed: the sender ended with ${sent.code}, the receiver with ${received.code}.`,
  );
  Deno.exit(1);
}

function tryKill(process: Deno.ChildProcess): void {
  try {
    process.kill();
  } catch {
    // It has ended by itself.
  }
}
