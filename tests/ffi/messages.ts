/** Tests of the calls of libcpg: sending messages. */
import { assertEquals } from "@std/assert";
import { CpgGuarantee } from "../../ffi.ts";
import { CorosyncNode } from "../../testing/mod.ts";
import { freshName, pattern, text } from "../support.ts";
import { Client } from "./client.ts";
import {
  alloc,
  async,
  calls,
  type CallTests,
  iovecAt,
  ok,
  zeroCopy,
} from "./support.ts";

export const messages = {
  cpg_mcast_joined: {
    async "sends 0 to 63 parts as one message"() {
      await using client = await Client.joined(freshName());
      for (let count = 0; count <= 63; count++) {
        const parts = Array.from({ length: count }, (_, i) => text(`${i},`));
        ok(client.send(...parts), `${count} parts`);
        const { data } = await client.until("message");
        assertEquals(
          new TextDecoder().decode(data),
          parts.map((part) => new TextDecoder().decode(part)).join(""),
        );
      }
    },
    async "takes every guarantee, also one that does not exist"() {
      await using client = await Client.joined(freshName());
      for (const guarantee of [...Object.values(CpgGuarantee), 7]) {
        const parts = iovecAt([text(`guarantee ${guarantee}`)]);
        ok(calls.cpg_mcast_joined(client.handle, guarantee, parts, 1));
        const { data } = await client.until("message");
        assertEquals(data, text(`guarantee ${guarantee}`));
      }
    },
    async "sends more than the atomic size in fragments, of any parts"() {
      await using client = await Client.joined(freshName());
      const whole = pattern(2_500_000);
      const parts = Array.from(
        { length: 100 },
        (_, i) => whole.subarray(i * 25_000, (i + 1) * 25_000),
      );
      for (const sent of [[whole], parts]) {
        const result = async.cpg_mcast_joined(
          client.handle,
          CpgGuarantee.AGREED,
          iovecAt(sent),
          sent.length,
        );
        const { data } = await client.until("message");
        ok(await result);
        assertEquals(data, whole);
      }
    },
  },

  cpg_zcb_alloc: {
    async "gives memory of that size"() {
      await using client = new Client();
      for (const size of [1, 4096, 5_000_000]) {
        const { at, bytes } = alloc(client.handle, size);
        bytes.set(pattern(size));
        assertEquals(bytes, pattern(size));
        ok(zeroCopy.free(client.handle, at));
      }
    },
  },

  cpg_zcb_free: {
    async "gives it back, on this side and on the daemon's"() {
      await using client = new Client();
      const maps = () =>
        [Deno.pid, CorosyncNode.ambient().pid].map((pid) =>
          Deno.readTextFileSync(`/proc/${pid}/maps`)
            .split("corosync_zerocopy").length
        );
      const before = maps();
      const { at } = alloc(client.handle, 5_000_000);
      assertEquals(maps(), before.map((count) => count + 1));
      ok(zeroCopy.free(client.handle, at));
      assertEquals(maps(), before);
    },
  },

  cpg_zcb_mcast_joined: {
    async "sends a message out of it, with any guarantee, again and again"() {
      await using client = await Client.joined(freshName());
      const { at, bytes } = alloc(client.handle, 1_000_000);
      for (const guarantee of [...Object.values(CpgGuarantee), 7]) {
        bytes.set(pattern(bytes.length, guarantee));
        for (const length of [0, 1, 1_000_000]) {
          ok(zeroCopy.send(client.handle, guarantee, at, BigInt(length)));
          const { data } = await client.until("message");
          assertEquals(data, pattern(bytes.length, guarantee).slice(0, length));
        }
      }
      ok(zeroCopy.free(client.handle, at));
    },
    async "is done with the memory when it returns"() {
      await using client = await Client.joined(freshName());
      const { at, bytes } = alloc(client.handle, 10);
      bytes.fill(1);
      ok(zeroCopy.send(client.handle, CpgGuarantee.AGREED, at, 10n));
      bytes.fill(2);
      ok(zeroCopy.free(client.handle, at));
      const { data } = await client.until("message");
      assertEquals(data, new Uint8Array(10).fill(1));
    },
  },
} satisfies CallTests;
