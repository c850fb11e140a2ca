/** Tests of the calls of libcpg: connecting, and what a connection tells without the daemon. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import {
  CpgFlowControl,
  CpgGuarantee,
  CpgModel,
  CpgModelFlag,
  CpgReason,
  CsDispatch,
  CsError,
  csErrorName,
  deliverCallback,
  SIZEOF_CPG_CALLBACKS,
  viewOf,
  writeCpgCallbacks,
} from "../../ffi.ts";
import { freshName, script, text, until, within } from "../support.ts";
import { Client } from "./client.ts";
import {
  async,
  calls,
  type CallTests,
  contextOf,
  iovecAt,
  nameAt,
  nodeIdOf,
  ok,
  pin,
  told,
} from "./support.ts";

export const connection = {
  cpg_initialize: {
    async "connects, with two callbacks"() {
      const group = freshName();
      const received: string[] = [];
      const deliver = deliverCallback((_h, _g, _n, _p, at, length) => {
        received.push(new TextDecoder().decode(viewOf(at, Number(length))));
      });
      const callbacks = new DataView(new ArrayBuffer(SIZEOF_CPG_CALLBACKS));
      writeCpgCallbacks(callbacks, 0, {
        deliver: deliver.address,
        confchg: 0n,
      });
      const handle = new BigUint64Array(1);
      ok(calls.cpg_initialize(pin(handle), pin(callbacks)));
      ok(calls.cpg_join(handle[0], nameAt(group)));
      const parts = iovecAt([text("to myself")]);
      ok(calls.cpg_mcast_joined(handle[0], CpgGuarantee.AGREED, parts, 1));
      await until("the message", async () => {
        ok(await async.cpg_dispatch(handle[0], CsDispatch.ALL));
        return received.length > 0;
      });
      assertEquals(received, ["to myself"]);
      assertEquals(contextOf(handle[0]), 0n);
      ok(calls.cpg_finalize(handle[0]));
      deliver.close();
    },
    "connects without callbacks"() {
      const handle = new BigUint64Array(1);
      ok(calls.cpg_initialize(pin(handle), 0n));
      assertNotEquals(handle[0], 0n);
      ok(calls.cpg_finalize(handle[0]));
    },
  },

  cpg_model_initialize: {
    async "connects, with three callbacks and a context"() {
      const flags = CpgModelFlag.DELIVER_INITIAL_TOTEM_CONF;
      await using client = new Client({ flags, context: 2n ** 63n + 1n });
      assertEquals(contextOf(client.handle), 2n ** 63n + 1n);
      const group = freshName();
      ok(calls.cpg_join(client.handle, nameAt(group)));
      const ring = await client.until("ring");
      const nodeId = nodeIdOf(client.handle);
      assertEquals(ring.nodes, [nodeId]);
      assertEquals(ring.ringId.nodeId, nodeId);
      assert(ring.ringId.seq > 0n);
      assertEquals(ring.handle, client.handle);
    },
    async "without the flag no ring is told at first"() {
      await using client = new Client();
      ok(calls.cpg_join(client.handle, nameAt(freshName())));
      ok(client.send(text("last")));
      await until("the message", async () => {
        await client.drain();
        return client.told.length >= 2;
      });
      assertEquals(
        client.told.map(({ kind }) => kind),
        ["configuration", "message"],
      );
    },
    "needs no data"() {
      const handle = new BigUint64Array(1);
      ok(calls.cpg_model_initialize(pin(handle), CpgModel.V1, 0n, 5n));
      assertEquals(contextOf(handle[0]), 5n);
      ok(calls.cpg_finalize(handle[0]));
    },
  },

  cpg_finalize: {
    async "without leaving before, others are told PROCDOWN; else LEAVE"() {
      const group = freshName();
      await using watcher = await Client.joined(group);
      for (
        const [end, reason] of [
          ["close", CpgReason.PROCDOWN],
          ["leave", CpgReason.LEAVE],
        ] as const
      ) {
        const { code } = await script(`
          import { join } from "@corosync/cpg";
          await (await join(${JSON.stringify(group)})).${end}();
        `);
        assertEquals(code, 0);
        const { joined: [joined] } = await watcher.until("configuration");
        const { left } = await watcher.until("configuration");
        assertEquals(joined.reason, CpgReason.JOIN);
        assertEquals(left, [{ ...joined, reason }]);
      }
    },
  },

  cpg_fd_get: {
    async "is readable when there is something to dispatch"() {
      await using client = await Client.joined(freshName());
      await client.drain();
      const fd = told((at) => calls.cpg_fd_get(client.handle, at));
      assert(fd > 2);
      const pollfd = new DataView(new ArrayBuffer(8));
      pollfd.setInt32(0, fd, true);
      pollfd.setInt16(4, 1, true); // POLLIN
      assertEquals(calls.poll(pin(pollfd), 1n, 0), 0);
      ok(client.send(text("x")));
      assertEquals(await async.poll(pin(pollfd), 1n, 20_000), 1);
      assertEquals(pollfd.getInt16(6, true), 1);
      await client.until("message");
    },
  },

  cpg_max_atomic_msgsize_get: {
    async "is a mebibyte less a kibibyte"() {
      await using client = new Client();
      assertEquals(
        told((at) => calls.cpg_max_atomic_msgsize_get(client.handle, at)),
        2 ** 20 - 2 ** 10,
      );
    },
  },

  cpg_context_get: {
    async "is each connection's own"() {
      await using one = new Client({ context: 1n });
      await using other = new Client({ context: 2n });
      assertEquals([one, other].map((c) => contextOf(c.handle)), [1n, 2n]);
    },
  },

  cpg_context_set: {
    async "replaces the context, by any number"() {
      await using client = new Client({ context: 1n });
      for (const context of [0n, 2n ** 64n - 1n]) {
        ok(calls.cpg_context_set(client.handle, context));
        assertEquals(contextOf(client.handle), context);
      }
    },
  },

  cpg_dispatch: {
    async "CS_DISPATCH_ONE waits for an event, and takes one"() {
      await using client = await Client.joined(freshName());
      await client.drain();
      const waiting = async.cpg_dispatch(client.handle, CsDispatch.ONE);
      ok(client.send(text("1")));
      ok(client.send(text("2")));
      ok(await within("an event", waiting));
      assertEquals(client.told.length, 1);
      await client.until("message");
      await client.until("message");
    },
    async "CS_DISPATCH_ALL takes what is there, and does not wait"() {
      await using client = await Client.joined(freshName());
      await client.drain();
      ok(await async.cpg_dispatch(client.handle, CsDispatch.ALL));
      assertEquals(client.told, []);
      for (let i = 0; i < 10; i++) ok(client.send(text(`${i}`)));
      // The order of the cluster is that of its answers, too.
      await until("ten messages", async () => {
        ok(await async.cpg_dispatch(client.handle, CsDispatch.ALL));
        return client.told.length === 10;
      });
    },
    async "CS_DISPATCH_ONE_NONBLOCKING takes one, or says to try again"() {
      await using client = await Client.joined(freshName());
      await client.drain();
      ok(client.send(text("1")));
      ok(client.send(text("2")));
      const one = () =>
        async.cpg_dispatch(client.handle, CsDispatch.ONE_NONBLOCKING);
      for (let count = 1; count <= 2; count++) {
        await until("a message", async () => await one() === CsError.CS_OK);
        assertEquals(client.told.length, count);
      }
      assertEquals(await one(), CsError.CS_ERR_TRY_AGAIN);
    },
    async "CS_DISPATCH_BLOCKING takes all until a callback finalizes"() {
      await using client = await Client.joined(freshName());
      client.whenTold = (told) => {
        if (told.kind === "message" && told.data.length === 0) {
          ok(calls.cpg_finalize(client.handle));
        }
      };
      const dispatching = async.cpg_dispatch(
        client.handle,
        CsDispatch.BLOCKING,
      );
      for (let i = 0; i < 10; i++) ok(client.send(text("x")));
      ok(client.send());
      const result = await within("the end", dispatching);
      assertEquals(csErrorName(result), "CS_ERR_BAD_HANDLE");
      assertEquals(client.told.length, 11);
    },
  },

  cpg_local_get: {
    async "is the node of one's own messages"() {
      await using client = await Client.joined(freshName());
      ok(client.send(text("from here")));
      const message = await client.until("message");
      assertEquals(
        [message.nodeId, message.pid],
        [nodeIdOf(client.handle), Deno.pid],
      );
    },
  },

  cpg_flow_control_state_get: {
    async "is always disabled"() {
      await using client = await Client.joined(freshName());
      let sent = 0;
      const part = new Uint8Array(500_000);
      while (client.send(part) === CsError.CS_OK) sent++;
      assertEquals(
        told((at) => calls.cpg_flow_control_state_get(client.handle, at)),
        CpgFlowControl.DISABLED,
      );
      for (let i = 0; i < sent; i++) await client.until("message");
    },
  },
} satisfies CallTests;
