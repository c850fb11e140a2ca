/**
 * Runs the benchmark on a private corosync.
 *
 * @module
 */
import { denoWithCorosync } from "./run.ts";

Deno.exit(
  await denoWithCorosync(["run", "-A", "bench/main.ts", ...Deno.args]),
);
