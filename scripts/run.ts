/**
 * Running Deno from Deno. There may be no `deno` on the search path (`npx -y
 * deno` puts none there for good), so it is always the one that runs already.
 *
 * @module
 */

const root = new URL("../", import.meta.url);

/** What may be done with a program beside running it. */
export interface RunOptions {
  /**
   * Called with each piece of the standard output, which is then held back
   * until `turn` has come.
   */
  readonly listener?: (chunk: Uint8Array) => void;
  readonly turn?: Promise<unknown>;
  /** After how many minutes it is ended, and is taken to hang. */
  readonly minutes?: number;
}

/**
 * Runs this Deno with `args` in the project's folder and returns its exit
 * status. Input and output are the caller's.
 *
 * It outlives the caller's signals: what is run has something to clean up.
 * Ctrl-C reaches it from the terminal, the other signals are handed on.
 */
export async function deno(
  args: string[],
  { listener, turn, minutes }: RunOptions = {},
): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), {
    args,
    cwd: root,
    stdin: "inherit",
    stdout: listener === undefined ? "inherit" : "piped",
    stderr: "inherit",
  }).spawn();
  let running = true;
  const status = child.status.finally(() => running = false);
  const end = (signal: Deno.Signal) => {
    if (running) child.kill(signal);
  };
  const signals = (["SIGINT", "SIGTERM", "SIGHUP"] as const).map((signal) => ({
    signal,
    handler: () => {
      if (signal !== "SIGINT") end(signal);
    },
  }));
  for (const { signal, handler } of signals) {
    Deno.addSignalListener(signal, handler);
  }
  const timer = minutes && setTimeout(() => {
    console.error(`Ended after ${minutes} minutes, since it does not end`);
    end("SIGTERM");
  }, minutes * 60_000);
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
    return (await status).code;
  } finally {
    clearTimeout(timer);
    for (const { signal, handler } of signals) {
      Deno.removeSignalListener(signal, handler);
    }
  }
}

/** As {@linkcode deno}, with a private corosync around it. */
export function denoWithCorosync(
  args: string[],
  options?: RunOptions,
): Promise<number> {
  return deno(
    ["run", "-A", "testing/mod.ts", "--", Deno.execPath(), ...args],
    options,
  );
}
