/**
 * A daemon that keeps its memory.
 *
 * @module
 */
import { CorosyncNode } from "../testing/mod.ts";

/**
 * What has glibc's malloc keep what is freed, up to 64 MiB, and map nothing
 * below 4 MiB: all messages that corosync ever has at a time.
 */
const KEEPING = {
  MALLOC_TRIM_THRESHOLD_: `${64 * 2 ** 20}`,
  MALLOC_MMAP_THRESHOLD_: `${4 * 2 ** 20}`,
};

/**
 * Restarts the daemon so that it gives no memory back to the kernel between two
 * messages, to fault it in again for the next: how often it does so depends on
 * microseconds, and decides more about large messages than the program.
 */
export async function restartKeeping(): Promise<void> {
  for (const [name, value] of Object.entries(KEEPING)) {
    Deno.env.set(name, value);
  }
  await CorosyncNode.ambient().restart();
  for (const name of Object.keys(KEEPING)) Deno.env.delete(name);
}
