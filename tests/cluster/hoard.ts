/**
 * Allocates zero-copy buffers of random sizes up to a largest, all of a round
 * at once, and frees them before the next round.
 *
 *   hoard.ts ROUNDS BUFFERS LARGEST
 *
 * Prints, after each round, how many buffers there were in all. With 0 as the
 * number of rounds it allocates the largest once, prints how many it has mapped, and exits
 * without freeing anything.
 */
import { join, type ZeroCopyBuffer } from "../../mod.ts";

const [rounds, count, largest] = Deno.args.map(Number);
const group = await join(`hoard-${Deno.pid}`);

async function allocate(size: () => number): Promise<ZeroCopyBuffer[]> {
  const buffers: ZeroCopyBuffer[] = [];
  for (let i = 0; i < count; i++) {
    const buffer = await group.alloc(size());
    buffer.bytes[0] = i;
    buffers.push(buffer);
  }
  return buffers;
}

if (rounds === 0) {
  await allocate(() => largest);
  const maps = Deno.readTextFileSync("/proc/self/maps");
  console.log(maps.match(/corosync_zerocopy-/g)?.length);
  Deno.exit();
}
for (let round = 1; round <= rounds; round++) {
  const buffers = await allocate(() => 1 + Math.floor(Math.random() * largest));
  for (const buffer of buffers) await buffer.free();
  console.log(round * count);
}
await group.leave();
