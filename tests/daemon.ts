/** The daemon that the tests run beside, and what they do to it. */
import { CorosyncNode } from "../testing/mod.ts";

/** How long what starts the daemon may take, in milliseconds. */
export const STARTING = 60_000;

export const node: CorosyncNode = CorosyncNode.ambient();

/** Runs a test that may freeze or kill the daemon; leaves one that is well. */
export async function revived(test: () => Promise<void>): Promise<void> {
  try {
    await test();
  } finally {
    // One that the test left frozen would not start.
    if (node.pid !== undefined && !node.running) await node.kill();
    await node.start();
  }
}
