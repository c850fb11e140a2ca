/**
 * Runs the demo on a private corosync.
 *
 * @module
 */
import { denoWithCorosync } from "./run.ts";

Deno.exit(
  await denoWithCorosync(["run", "-A", "examples/demo/main.ts", ...Deno.args]),
);
