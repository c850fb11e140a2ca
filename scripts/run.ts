/**
 * Running Deno from Deno. There may be no `deno` on the search path (`npx -y
 * deno` puts none there for good), so it is always the one that runs already.
 *
 * @module
 */

const root = new URL("../", import.meta.url);

/** Called with each piece of the standard output. */
export type OutputListener = (chunk: Uint8Array) => void;

/**
 * Runs this Deno with `args` in the project's folder and returns its exit
 * status. Input and output are the caller's; `listener` listens in, and then
 * the standard output is held back until its `turn` has come.
 *
 * It outlives the caller's signals: what is run has something to clean up.
 * Ctrl-C reaches it from the terminal, the other signals are handed on.
 */
export async function deno(
  args: string[],
  listener?: OutputListener,
  turn?: Promise<unknown>,
): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), {
    args,
    cwd: root,
    stdin: "inherit",
    stdout: listener === undefined ? "inherit" : "piped",
    stderr: "inherit",
  }).spawn();
  const signals = (["SIGINT", "SIGTERM", "SIGHUP"] as const).map((signal) => ({
    signal,
    handler: () => {
      if (signal !== "SIGINT") child.kill(signal);
    },
  }));
  for (const { signal, handler } of signals) {
    Deno.addSignalListener(signal, handler);
  }
  try {
    if (listener !== undefined) {
      const [heard, shown] = child.stdout.tee();
      const printing = (async () => {
        await turn;
        await shown.pipeTo(Deno.stdout.writable, { preventClose: true });
      })();
      for await (const chunk of heard) listener(chunk);
      await printing;
    }
    return (await child.status).code;
  } finally {
    for (const { signal, handler } of signals) {
      Deno.removeSignalListener(signal, handler);
    }
  }
}

/** As {@linkcode deno}, with a private corosync around it. */
export function denoWithCorosync(
  args: string[],
  listener?: OutputListener,
  turn?: Promise<unknown>,
): Promise<number> {
  return deno(
    ["run", "-A", "testing/mod.ts", "--", Deno.execPath(), ...args],
    listener,
    turn,
  );
}
