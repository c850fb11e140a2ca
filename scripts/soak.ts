/**
 * Breaks a private cluster at random for 10 minutes, or for as many minutes as
 * the argument says: `deno task soak 30`. More arguments name the faults.
 *
 * @module
 */
import { deno } from "./run.ts";

const [first = 10, ...faults] = Deno.args;
const minutes = Number(first);
if (!(minutes > 0)) {
  console.error(`For how many minutes? Not ${first}`);
  Deno.exit(1);
}
const program = ["run", "-A", "tests/cluster/soak.ts", String(60 * minutes)];
const cluster = ["run", "-A", "testing/mod.ts", "--nodes", "3", "--"];
Deno.exit(await deno([...cluster, Deno.execPath(), ...program, ...faults]));
