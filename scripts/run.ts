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
 * status. Input and output are the caller's; `listener` listens in.
 *
 * It outlives the caller's signals: what is run has something to clean up.
 * Ctrl-C reaches it from the terminal, the other signals are handed on.
 */
export async function deno(
  args: string[],
  listener?: OutputListener,
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
      const output = Deno.stdout.writable.getWriter();
      for await (const chunk of child.stdout) {
        listener(chunk);
        await output.write(chunk);
      }
      output.releaseLock();
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
): Promise<number> {
  return deno(
    ["run", "-A", "testing/mod.ts", "--", Deno.execPath(), ...args],
    listener,
  );
}
