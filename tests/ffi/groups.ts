/** Tests of the calls of libcpg: who belongs to which group. */
import { assertEquals } from "@std/assert";
import {
  CpgIteration,
  CpgReason,
  SIZEOF_CPG_ITERATION_DESCRIPTION,
} from "../../ffi.ts";
import { freshName, text, until } from "../support.ts";
import { Client } from "./client.ts";
import {
  beginIteration,
  calls,
  type CallTests,
  iterate,
  members,
  nameAt,
  nodeIdOf,
  ok,
  pin,
} from "./support.ts";

export const groups = {
  cpg_join: {
    async "is told in a configuration change"() {
      const group = freshName();
      await using client = new Client();
      ok(calls.cpg_join(client.handle, nameAt(group)));
      const change = await client.until("configuration");
      const nodeId = nodeIdOf(client.handle);
      assertEquals(change, {
        handle: client.handle,
        kind: "configuration",
        group: text(group),
        members: [{ nodeId, pid: Deno.pid, reason: CpgReason.UNDEFINED }],
        left: [],
        joined: [{ nodeId, pid: Deno.pid, reason: CpgReason.JOIN }],
      });
    },
    async "takes any 128 bytes for a name"() {
      const name = new Uint8Array(128).map((_, i) => 255 - i);
      await using client = new Client();
      ok(calls.cpg_join(client.handle, nameAt(name)));
      assertEquals((await client.until("configuration")).group, name);
    },
  },

  cpg_leave: {
    async "is told in a configuration change"() {
      const group = freshName();
      await using client = await Client.joined(group);
      ok(calls.cpg_leave(client.handle, nameAt(group)));
      const change = await client.until("configuration");
      const nodeId = nodeIdOf(client.handle);
      assertEquals([change.members, change.left, change.joined], [
        [],
        [{ nodeId, pid: Deno.pid, reason: CpgReason.LEAVE }],
        [],
      ]);
    },
  },

  cpg_membership_get: {
    async "lists any group, joined or not"() {
      const group = freshName();
      await using client = await Client.joined(group);
      await using other = new Client();
      assertEquals(members(other.handle, group).map((m) => m.pid), [Deno.pid]);
      assertEquals(members(client.handle, freshName()), []);
    },
    async "does not look at how many entries there is room for"() {
      const group = freshName();
      await using client = await Client.joined(group);
      const list = new Uint32Array(3);
      const entries = new Int32Array([0]);
      ok(calls.cpg_membership_get(
        client.handle,
        nameAt(group),
        pin(list),
        pin(entries),
      ));
      assertEquals([entries[0], list[1]], [1, Deno.pid]);
    },
  },

  cpg_iteration_initialize: {
    async "names of groups, members of one group, and of all"() {
      const groups = [freshName(), freshName()];
      await using one = await Client.joined(groups[0]);
      await using other = await Client.joined(groups[1]);
      const nodeId = nodeIdOf(one.handle);
      const mine = ({ group }: { group: string }) => groups.includes(group);
      const order = (a: { group: string }, b: { group: string }) =>
        groups.indexOf(a.group) - groups.indexOf(b.group);
      const { NAME_ONLY, ONE_GROUP, ALL } = CpgIteration;
      assertEquals(
        iterate(other.handle, NAME_ONLY, 0n).filter(mine).sort(order),
        groups.map((group) => ({ group, nodeId: 0, pid: 0 })),
      );
      assertEquals(
        iterate(other.handle, ONE_GROUP, nameAt(groups[0])),
        [{ group: groups[0], nodeId, pid: Deno.pid }],
      );
      assertEquals(iterate(one.handle, ONE_GROUP, nameAt(freshName())), []);
      assertEquals(
        iterate(one.handle, ALL, 0n).filter(mine).sort(order),
        groups.map((group) => ({ group, nodeId, pid: Deno.pid })),
      );
    },
  },

  cpg_iteration_next: {
    async "goes over what was there at the beginning"() {
      const group = freshName();
      await using client = new Client();
      await using member = await Client.joined(group);
      const iteration = beginIteration(
        client.handle,
        CpgIteration.ONE_GROUP,
        nameAt(group),
      );
      ok(calls.cpg_leave(member.handle, nameAt(group)));
      await until(
        "the departure",
        () => members(client.handle, group).length === 0,
      );
      const description = new Uint32Array(SIZEOF_CPG_ITERATION_DESCRIPTION / 4);
      ok(calls.cpg_iteration_next(iteration, pin(description)));
      assertEquals(description.at(-1), Deno.pid);
    },
  },

  cpg_iteration_finalize: {
    async "leaves other iterations of the connection alone"() {
      await using client = await Client.joined(freshName());
      const [one, other] = [
        beginIteration(client.handle),
        beginIteration(client.handle),
      ];
      ok(calls.cpg_iteration_finalize(one));
      const description = new Uint8Array(SIZEOF_CPG_ITERATION_DESCRIPTION);
      ok(calls.cpg_iteration_next(other, pin(description)));
      ok(calls.cpg_iteration_finalize(other));
    },
  },
} satisfies CallTests;
