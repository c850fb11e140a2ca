/** A connection for the tests of the calls of libcpg. */
import {
  confchgCallback,
  type CpgAddress,
  CpgGuarantee,
  CpgModel,
  type CpgRingId,
  CsDispatch,
  CsError,
  deliverCallback,
  type NativeCallback,
  readCpgAddresses,
  readCpgName,
  SIZEOF_CPG_ADDRESS,
  SIZEOF_CPG_MODEL_V1_DATA,
  SIZEOF_CPG_NAME,
  totemConfchgCallback,
  viewOf,
  writeCpgModelV1Data,
} from "../../ffi.ts";
import { until } from "../support.ts";
import { async, calls, iovecAt, nameAt, ok, pin } from "./support.ts";

/** What a callback was told, and of which handle. */
export type Told = { handle: bigint } & ToldOf;

type ToldOf =
  | {
    kind: "message";
    group: Uint8Array;
    nodeId: number;
    pid: number;
    data: Uint8Array;
  }
  | {
    kind: "configuration";
    group: Uint8Array;
    members: CpgAddress[];
    left: CpgAddress[];
    joined: CpgAddress[];
  }
  | { kind: "ring"; ringId: CpgRingId; nodes: number[] };

/** A connection, and what its callbacks were told. */
export class Client implements AsyncDisposable {
  readonly handle: bigint;
  /** What came, and was not taken yet. */
  readonly told: Told[] = [];
  /** Called inside each callback, with what it was told. */
  whenTold: (told: Told) => void = () => {};
  readonly #callbacks: NativeCallback[];

  /** Connects with all callbacks. (`cpg_model_initialize`) */
  constructor({ flags = 0, context = 0n } = {}) {
    const name = (at: bigint) =>
      readCpgName(new DataView(viewOf(at, SIZEOF_CPG_NAME)), 0);
    const list = (at: bigint, count: bigint) =>
      readCpgAddresses(
        memory(at, Number(count) * SIZEOF_CPG_ADDRESS),
        0,
        Number(count),
      );
    const tell = (told: Told) => {
      this.told.push(told);
      this.whenTold(told);
    };
    const deliver = deliverCallback(
      (handle, group, nodeId, pid, at, length) => {
        const data = new Uint8Array(memory(at, Number(length)).buffer.slice(0));
        tell({
          handle,
          kind: "message",
          group: name(group),
          nodeId,
          pid,
          data,
        });
      },
    );
    const confchg = confchgCallback((handle, group, m, ms, l, ls, j, js) => {
      tell({
        handle,
        kind: "configuration",
        group: name(group),
        members: list(m, ms),
        left: list(l, ls),
        joined: list(j, js),
      });
    });
    const totemConfchg = totemConfchgCallback((handle, ringId, count, at) => {
      const nodes = [...new Uint32Array(memory(at, count * 4).buffer)];
      tell({ handle, kind: "ring", ringId, nodes });
    });
    this.#callbacks = [deliver, confchg, totemConfchg];
    const data = new DataView(new ArrayBuffer(SIZEOF_CPG_MODEL_V1_DATA));
    writeCpgModelV1Data(data, 0, {
      deliver: deliver.address,
      confchg: confchg.address,
      totemConfchg: totemConfchg.address,
      flags,
    });
    const handle = new BigUint64Array(1);
    ok(calls.cpg_model_initialize(
      pin(handle),
      CpgModel.V1,
      pin(data),
      context,
    ));
    this.handle = handle[0];
  }

  /** Connects and joins, and has dispatched its own arrival. */
  static async joined(
    name: string,
    options?: { flags: number },
  ): Promise<Client> {
    const client = new Client(options);
    ok(calls.cpg_join(client.handle, nameAt(name)));
    await client.until("configuration");
    return client;
  }

  /** Dispatches what has come; the last result that was not `CS_OK`. */
  async drain(): Promise<number> {
    for (;;) {
      const result = await async.cpg_dispatch(
        this.handle,
        CsDispatch.ONE_NONBLOCKING,
      );
      if (result !== CsError.CS_OK) return result;
    }
  }

  /** Takes what came up to the next of a kind, waiting for that. */
  async until<K extends Told["kind"]>(
    kind: K,
  ): Promise<Extract<Told, { kind: K }>> {
    await until(`a ${kind}`, async () => {
      await this.drain();
      return this.told.some((told) => told.kind === kind);
    });
    const at = this.told.findIndex((told) => told.kind === kind);
    const taken = this.told.splice(0, at + 1);
    return taken[at] as Extract<Told, { kind: K }>;
  }

  /** Sends a message. (`cpg_mcast_joined`) */
  send(...parts: Uint8Array[]): number {
    return calls.cpg_mcast_joined(
      this.handle,
      CpgGuarantee.AGREED,
      iovecAt(parts),
      parts.length,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Whether it was closed already, or the daemon has died, is all the same.
    await async.cpg_finalize(this.handle);
    for (const callback of this.#callbacks) callback.close();
  }
}

/** A view of C's memory; of none if its length is 0. */
function memory(address: bigint, length: number): DataView<ArrayBuffer> {
  return new DataView(
    length === 0 ? new ArrayBuffer(0) : viewOf(address, length),
  );
}
