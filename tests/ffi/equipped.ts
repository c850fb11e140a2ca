/** Every call that asks the daemon, ready to be made. */
import {
  CpgGuarantee,
  CpgIteration,
  CsError,
  SIZEOF_CPG_ITERATION_DESCRIPTION,
} from "../../ffi.ts";
import { openLibcpg } from "../../libcpg.ts";
import { removeLeftover } from "../../zcb_memory.ts";
import { freshName } from "../support.ts";
import { Client } from "./client.ts";
import {
  alloc,
  async,
  beginIteration,
  calls,
  iovecAt,
  nameAt,
  pin,
} from "./support.ts";

/** What libcpg puts before the memory of a zero-copy buffer, in bytes. */
const HEADER = 56;

/** How large buffers are, in bytes: like nothing else that is allocated. */
const BUFFER = 5_000;
const ANOTHER = 123_456;

/** A connection, in a group, with an iteration and a zero-copy buffer. */
export class Equipped implements AsyncDisposable {
  readonly client: Client;
  readonly group: bigint;
  readonly iteration: bigint;
  /** Its memory; 0n when it has been given back. */
  buffer: bigint;
  /** Where the address of another one is to be written. */
  readonly another: BigUint64Array = new BigUint64Array(1);

  constructor(client: Client, name: string) {
    this.client = client;
    this.group = nameAt(name);
    this.iteration = beginIteration(client.handle);
    this.buffer = alloc(client.handle, BUFFER).at;
  }

  /** One that has joined. */
  static async joined(): Promise<Equipped> {
    const name = freshName();
    return new Equipped(await Client.joined(name), name);
  }

  /** Sends until there is no room in the ring for anything any more. */
  fill(): void {
    for (const size of [500_000, 50_000, 5_000, 500, 1]) {
      const parts = iovecAt([new Uint8Array(size)]);
      const send = () =>
        calls.cpg_mcast_joined(
          this.client.handle,
          CpgGuarantee.AGREED,
          parts,
          1,
        );
      while (send() === CsError.CS_OK);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
    // The daemon unmaps its side by itself.
    const libcpg = openLibcpg();
    const unmap = (at: bigint, size: number) => {
      if (at === 0n) return;
      libcpg.calls.munmap(at - BigInt(HEADER), BigInt(HEADER + size));
    };
    unmap(this.buffer, BUFFER);
    unmap(this.another[0], ANOTHER);
    removeLeftover(libcpg, ANOTHER);
  }
}

const out = () => pin(new BigUint64Array(1));

/** Each function that asks the daemon; the last ends the connection. */
export const asking = {
  cpg_local_get: ({ client }) => async.cpg_local_get(client.handle, out()),
  cpg_membership_get: ({ client, group }) =>
    async.cpg_membership_get(
      client.handle,
      group,
      pin(new Uint32Array(384 * 3)),
      out(),
    ),
  cpg_iteration_initialize: ({ client }) =>
    async.cpg_iteration_initialize(client.handle, CpgIteration.ALL, 0n, out()),
  cpg_iteration_next: ({ iteration }) =>
    async.cpg_iteration_next(
      iteration,
      pin(new Uint8Array(SIZEOF_CPG_ITERATION_DESCRIPTION)),
    ),
  cpg_iteration_finalize: ({ iteration }) =>
    async.cpg_iteration_finalize(iteration),
  cpg_zcb_alloc: ({ client, another }) =>
    async.cpg_zcb_alloc!(client.handle, BigInt(ANOTHER), pin(another)),
  cpg_zcb_mcast_joined: ({ client, buffer }) =>
    async.cpg_zcb_mcast_joined!(
      client.handle,
      CpgGuarantee.AGREED,
      buffer,
      10n,
    ),
  cpg_zcb_free: ({ client, buffer }) =>
    async.cpg_zcb_free!(client.handle, buffer),
  cpg_leave: ({ client, group }) => async.cpg_leave(client.handle, group),
  cpg_join: ({ client, group }) => async.cpg_join(client.handle, group),
  cpg_finalize: ({ client }) => async.cpg_finalize(client.handle),
} as const satisfies Record<
  string,
  (from: Equipped) => Promise<number>
>;
