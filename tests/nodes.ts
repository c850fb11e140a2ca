/** Tests with nodes of their own. */
import { isolate } from "../testing/isolation.ts";

// A corosync in place may be the one around this test: then there is no other.
const reason = await isolate(["namespaces", "user-namespaces"]).then(
  (place) => place.end(),
  (error: Error) => error.message,
);
if (reason) console.log(`Skipping tests with nodes of their own: ${reason}`);

/** A test that starts nodes, or is ignored where that cannot be. */
export function testOnNodes(name: string, test: () => Promise<void>): void {
  Deno.test({ name, ignore: Boolean(reason), fn: test });
}
