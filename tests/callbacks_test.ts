/**
 * The tests of groups once more, with the way of receiving that works on every
 * processor. The other runs of them use the best way that works here.
 */
import { assertEquals } from "@std/assert";
import { joinFresh, receiveBy } from "./support.ts";

receiveBy("callbacks");
await import("./group_test.ts");
await import("./stream_test.ts");
await import("./reconnect_test.ts");
await import("./daemon_test.ts");

Deno.test("the groups of these tests receive by callbacks", async () => {
  await using group = await joinFresh();
  assertEquals(group.receiving, "callbacks");
});
