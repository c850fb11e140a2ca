/**
 * All calls of libcpg, one to one, for those who port C programs; the library
 * itself is built on them.
 *
 * A function takes what its C namesake takes. Handles and addresses are
 * `bigint`s, `addressOf` gives the address of a typed array, and every result
 * is a {@linkcode CsError} number. Each function is there twice: in `calls` it
 * runs on this thread, in `async` on another one, and the event loop goes on.
 *
 * What C demands still holds here: memory must live for as long as C uses it
 * (keep a reference to the typed array), and calls on one handle must not
 * overlap, `cpg_dispatch` excepted. A JavaScript callback cannot run inside a
 * synchronous `cpg_dispatch`, which needs more stack than V8 has by default:
 * dispatch with `async.cpg_dispatch`.
 *
 * @example Ask for the node id
 * ```ts
 * import { addressOf, CpgModel, CsError, openLibcpg } from "@corosync/cpg/ffi";
 *
 * const { calls } = openLibcpg();
 * const handle = new BigUint64Array(1);
 * const data = new BigUint64Array([BigInt(CpgModel.V1), 0n, 0n, 0n, 0n]);
 * const at = (array: BigUint64Array) => addressOf(new Uint8Array(array.buffer));
 * const result = calls.cpg_model_initialize(at(handle), 1, at(data), 0n);
 * if (result === CsError.CS_OK) {
 *   const nodeId = new BigUint64Array(1);
 *   calls.cpg_local_get(handle[0], at(nodeId));
 *   console.log(Number(nodeId[0]));
 *   calls.cpg_finalize(handle[0]);
 * }
 * ```
 *
 * @module
 */
import { CpgError } from "./errors.ts";
import {
  addressOf,
  environment,
  isRefusal,
  machine,
  open,
} from "./native/deno.ts";
import type { Library, Signature } from "./native/port.ts";

export { addressOf, callback, viewOf } from "./native/deno.ts";
export type {
  AsyncCalls,
  Library,
  NativeCallback,
  NativeType,
  Signature,
} from "./native/port.ts";
export { CpgError, CsError, type CsErrorName, csErrorName } from "./errors.ts";
export * from "./structs.ts";

/** Models of a connection (`cpg_model_t`). */
export const CpgModel = { V1: 1 } as const;

/** Flags of model v1. */
export const CpgModelFlag = {
  /** Deliver the ring that exists at the time of joining, as a first event. */
  DELIVER_INITIAL_TOTEM_CONF: 1,
} as const;

/**
 * Delivery guarantees (`cpg_guarantee_t`). corosync implements AGREED, which
 * FIFO is another name of, and neither UNORDERED nor SAFE.
 */
export const CpgGuarantee = {
  UNORDERED: 0,
  FIFO: 1,
  AGREED: 2,
  SAFE: 3,
} as const;

/** What `cpg_dispatch` waits for (`cs_dispatch_flags_t`). */
export const CsDispatch = {
  /** One event, waiting for it. */
  ONE: 1,
  /** All that is there. */
  ALL: 2,
  /** Everything, until the connection is finalized. */
  BLOCKING: 3,
  /** One event, or CS_ERR_TRY_AGAIN. */
  ONE_NONBLOCKING: 4,
} as const;

/** Why a member is listed in a membership change (`cpg_reason_t`). */
export const CpgReason = {
  UNDEFINED: 0,
  JOIN: 1,
  LEAVE: 2,
  NODEDOWN: 3,
  NODEUP: 4,
  PROCDOWN: 5,
} as const;

/** What an iteration goes over (`cpg_iteration_type_t`). */
export const CpgIteration = {
  /** Names of the groups; the group argument is NULL. */
  NAME_ONLY: 1,
  /** Members of the one group that is given. */
  ONE_GROUP: 2,
  /** Members of all groups; the group argument is NULL. */
  ALL: 3,
} as const;

/** `cpg_flow_control_state_t`; libcpg always says DISABLED. */
export const CpgFlowControl = { DISABLED: 0, ENABLED: 1 } as const;

/** The functions of libcpg. Every one returns a {@linkcode CsError} number. */
export interface CpgCalls {
  /** `cpg_initialize(cpg_handle_t *handle, cpg_callbacks_t *callbacks)` */
  cpg_initialize(handle: bigint, callbacks: bigint): number;
  /** `cpg_model_initialize(cpg_handle_t *handle, cpg_model_t model, cpg_model_data_t *data, void *context)` */
  cpg_model_initialize(
    handle: bigint,
    model: number,
    data: bigint,
    context: bigint,
  ): number;
  /** `cpg_finalize(cpg_handle_t handle)`; waits for the daemon. */
  cpg_finalize(handle: bigint): number;
  /** `cpg_fd_get(cpg_handle_t handle, int *fd)`: readable when there is something to dispatch. */
  cpg_fd_get(handle: bigint, fd: bigint): number;
  /** `cpg_max_atomic_msgsize_get(cpg_handle_t handle, uint32_t *size)`, in bytes. */
  cpg_max_atomic_msgsize_get(handle: bigint, size: bigint): number;
  /** `cpg_context_get(cpg_handle_t handle, void **context)` */
  cpg_context_get(handle: bigint, context: bigint): number;
  /** `cpg_context_set(cpg_handle_t handle, void *context)` */
  cpg_context_set(handle: bigint, context: bigint): number;
  /** `cpg_dispatch(cpg_handle_t handle, cs_dispatch_flags_t types)`: see {@linkcode CsDispatch}. */
  cpg_dispatch(handle: bigint, types: number): number;
  /** `cpg_join(cpg_handle_t handle, const struct cpg_name *group)`; waits for the daemon. */
  cpg_join(handle: bigint, group: bigint): number;
  /** `cpg_leave(cpg_handle_t handle, const struct cpg_name *group)`; waits for the daemon. */
  cpg_leave(handle: bigint, group: bigint): number;
  /** `cpg_mcast_joined(cpg_handle_t handle, cpg_guarantee_t guarantee, const struct iovec *iovec, unsigned int iov_len)`; at most 63 iovecs, which C does not check. */
  cpg_mcast_joined(
    handle: bigint,
    guarantee: number,
    iovec: bigint,
    iovLen: number,
  ): number;
  /** `cpg_membership_get(cpg_handle_t handle, struct cpg_name *group, struct cpg_address *list, int *entries)`; writes up to 128 entries; waits for the daemon. */
  cpg_membership_get(
    handle: bigint,
    group: bigint,
    list: bigint,
    entries: bigint,
  ): number;
  /** `cpg_local_get(cpg_handle_t handle, unsigned int *nodeid)`; waits for the daemon. */
  cpg_local_get(handle: bigint, nodeId: bigint): number;
  /** `cpg_flow_control_state_get(cpg_handle_t handle, cpg_flow_control_state_t *state)` */
  cpg_flow_control_state_get(handle: bigint, state: bigint): number;
  /** `cpg_zcb_alloc(cpg_handle_t handle, size_t size, void **buffer)`; waits for the daemon, and aborts the process when there is no room. */
  cpg_zcb_alloc:
    | ((handle: bigint, size: bigint, buffer: bigint) => number)
    | null;
  /** `cpg_zcb_free(cpg_handle_t handle, void *buffer)`; waits for the daemon. */
  cpg_zcb_free: ((handle: bigint, buffer: bigint) => number) | null;
  /** `cpg_zcb_mcast_joined(cpg_handle_t handle, cpg_guarantee_t guarantee, void *msg, size_t msg_len)`; waits for the daemon, and does not check the length. */
  cpg_zcb_mcast_joined:
    | ((
      handle: bigint,
      guarantee: number,
      message: bigint,
      length: bigint,
    ) => number)
    | null;
  /** `cpg_iteration_initialize(cpg_handle_t handle, cpg_iteration_type_t type, const struct cpg_name *group, cpg_iteration_handle_t *iteration)`; waits for the daemon. */
  cpg_iteration_initialize(
    handle: bigint,
    type: number,
    group: bigint,
    iteration: bigint,
  ): number;
  /** `cpg_iteration_next(cpg_iteration_handle_t iteration, struct cpg_iteration_description_t *description)`; CS_ERR_NO_SECTIONS at the end; waits for the daemon. */
  cpg_iteration_next(iteration: bigint, description: bigint): number;
  /** `cpg_iteration_finalize(cpg_iteration_handle_t iteration)`; waits for the daemon. */
  cpg_iteration_finalize(iteration: bigint): number;
}

/** The few functions of libc that the library needs; libcpg's handle finds them. */
export interface LibcCalls {
  /** `getpid(void)` */
  getpid(): number;
  /** `malloc(size_t size)`: an address, or 0n. */
  malloc(size: bigint): bigint;
  /** `free(void *memory)` */
  free(memory: bigint): void;
  /** `poll(struct pollfd *fds, nfds_t count, int milliseconds)` */
  poll(fds: bigint, count: bigint, milliseconds: number): number;
  /** `eventfd(unsigned int initial, int flags)` */
  eventfd(initial: number, flags: number): number;
  /** `read(int fd, void *memory, size_t count)` */
  read(fd: number, memory: bigint, count: bigint): bigint;
  /** `write(int fd, const void *memory, size_t count)` */
  write(fd: number, memory: bigint, count: bigint): bigint;
  /** `open(const char *path, int flags)` */
  open(path: bigint, flags: number): number;
  /** `unlink(const char *path)` */
  unlink(path: bigint): number;
  /** `getrlimit(int resource, struct rlimit *limit)` */
  getrlimit(resource: number, limit: bigint): number;
  /** `close(int fd)` */
  close(fd: number): number;
  /** `dlopen(const char *path, int flags)` */
  dlopen(path: bigint, flags: number): bigint;
  /** `mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)` */
  mmap(
    address: bigint,
    length: bigint,
    protection: number,
    flags: number,
    fd: number,
    offset: bigint,
  ): bigint;
  /** `mprotect(void *address, size_t length, int protection)` */
  mprotect(address: bigint, length: bigint, protection: number): number;
  /** `munmap(void *address, size_t length)` */
  munmap(address: bigint, length: bigint): number;
  /** `statfs(const char *path, struct statfs *status)` */
  statfs(path: bigint, status: bigint): number;
}

const cpgSignatures: Record<keyof CpgCalls, Signature> = {
  cpg_initialize: { parameters: ["pointer", "pointer"], result: "i32" },
  cpg_model_initialize: {
    parameters: ["pointer", "u32", "pointer", "pointer"],
    result: "i32",
  },
  cpg_finalize: { parameters: ["u64"], result: "i32" },
  cpg_fd_get: { parameters: ["u64", "pointer"], result: "i32" },
  cpg_max_atomic_msgsize_get: { parameters: ["u64", "pointer"], result: "i32" },
  cpg_context_get: { parameters: ["u64", "pointer"], result: "i32" },
  cpg_context_set: { parameters: ["u64", "pointer"], result: "i32" },
  cpg_dispatch: { parameters: ["u64", "u32"], result: "i32" },
  cpg_join: { parameters: ["u64", "pointer"], result: "i32" },
  cpg_leave: { parameters: ["u64", "pointer"], result: "i32" },
  cpg_mcast_joined: {
    parameters: ["u64", "u32", "pointer", "u32"],
    result: "i32",
  },
  cpg_membership_get: {
    parameters: ["u64", "pointer", "pointer", "pointer"],
    result: "i32",
  },
  cpg_local_get: { parameters: ["u64", "pointer"], result: "i32" },
  cpg_flow_control_state_get: { parameters: ["u64", "pointer"], result: "i32" },
  cpg_zcb_alloc: {
    parameters: ["u64", "usize", "pointer"],
    result: "i32",
    optional: true,
  },
  cpg_zcb_free: {
    parameters: ["u64", "pointer"],
    result: "i32",
    optional: true,
  },
  cpg_zcb_mcast_joined: {
    parameters: ["u64", "u32", "pointer", "usize"],
    result: "i32",
    optional: true,
  },
  cpg_iteration_initialize: {
    parameters: ["u64", "u32", "pointer", "pointer"],
    result: "i32",
  },
  cpg_iteration_next: { parameters: ["u64", "pointer"], result: "i32" },
  cpg_iteration_finalize: { parameters: ["u64"], result: "i32" },
};

const libcSignatures: Record<keyof LibcCalls, Signature> = {
  getpid: { parameters: [], result: "i32" },
  malloc: { parameters: ["usize"], result: "pointer" },
  free: { parameters: ["pointer"], result: "void" },
  poll: { parameters: ["pointer", "u64", "i32"], result: "i32" },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  read: { parameters: ["i32", "pointer", "usize"], result: "u64" },
  write: { parameters: ["i32", "pointer", "usize"], result: "u64" },
  open: { parameters: ["pointer", "i32"], result: "i32" },
  unlink: { parameters: ["pointer"], result: "i32" },
  getrlimit: { parameters: ["i32", "pointer"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  dlopen: { parameters: ["pointer", "i32"], result: "pointer" },
  mmap: {
    parameters: ["pointer", "usize", "i32", "i32", "i32", "u64"],
    result: "pointer",
  },
  mprotect: { parameters: ["pointer", "usize", "i32"], result: "i32" },
  munmap: { parameters: ["pointer", "usize"], result: "i32" },
  statfs: { parameters: ["pointer", "pointer"], result: "i32" },
};

/** libcpg, loaded. */
export interface Libcpg extends Library<CpgCalls & LibcCalls> {
  /** The name or path under which it was found. */
  readonly path: string;
}

/** Where libcpg may be, best first: what the loader finds, then by path. */
function candidates(): string[] {
  const file = "libcpg.so.4";
  const triplet = `${machine.arch}-linux-gnu`;
  return [
    file,
    `/usr/lib/${triplet}/${file}`,
    `/usr/lib64/${file}`,
    `/usr/lib/${file}`,
    `/usr/local/lib/${file}`,
    `/usr/local/lib64/${file}`,
  ];
}

const loaded = new Map<string, Libcpg>();

const RTLD_NOW = 2;
const RTLD_NODELETE = 0x1000;

/**
 * Keeps the library in memory for good. The runtime closes it when a Worker
 * ends, while a call of that Worker may still be in it.
 */
function keep({ path, calls }: Libcpg): void {
  const name = new TextEncoder().encode(`${path}\0`);
  calls.dlopen(addressOf(name), RTLD_NOW | RTLD_NODELETE);
}

/**
 * Loads libcpg, once; it is never unloaded.
 *
 * @param library Path or name of the library. Without it, the environment
 * variable `CPG_LIBRARY` says it, if it is set and may be read without
 * asking; otherwise it is looked for where distributions install it.
 * @returns Its functions.
 * @throws {CpgError} `CS_ERR_LIBRARY` if it cannot be loaded: the message says
 * everything that was tried, and how to install it.
 * @throws {Deno.errors.NotCapable} Without `--allow-ffi`.
 */
export function openLibcpg(library?: string): Libcpg {
  const named = library ?? (environment("CPG_LIBRARY") || undefined);
  const tried: string[] = [];
  for (const path of named === undefined ? candidates() : [named]) {
    const known = loaded.get(path);
    if (known) return known;
    try {
      const functions = open<CpgCalls & LibcCalls>(path, {
        ...cpgSignatures,
        ...libcSignatures,
      });
      const libcpg = { path, ...functions };
      keep(libcpg);
      loaded.set(path, libcpg);
      return libcpg;
    } catch (error) {
      if (isRefusal(error)) throw error;
      tried.push(`  ${path}: ${(error as Error).message.trim()}`);
    }
  }
  const source = library !== undefined
    ? "the library option"
    : named !== undefined
    ? "CPG_LIBRARY"
    : "the well-known places";
  throw new CpgError("Cannot load libcpg", "dlopen", "CS_ERR_LIBRARY", {
    remedy: `${source} did not give it. Tried:\n${tried.join("\n")}\n` +
      "Install it (apt install libcpg4, dnf install corosynclib, " +
      "zypper install libcpg4, apk add corosync, pacman -S corosync), " +
      "or name the file with the library option or CPG_LIBRARY.",
  });
}
