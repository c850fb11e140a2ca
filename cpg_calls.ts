/**
 * The functions of libcpg, as `corosync/cpg.h` declares them.
 *
 * @module
 */
import type { Signature } from "./native/port.ts";

/**
 * The functions of libcpg. Each returns a {@linkcode CsError} number;
 * `docs/errors.md` says which, when, and what to do about it. `CS_OK` is meant
 * where nothing is said.
 *
 * Handles and addresses are `bigint`s. What a function writes to an address is
 * undefined unless it returns `CS_OK`. Where NULL is not said to be allowed it
 * ends the process, or is `CS_ERR_INVALID_PARAM`.
 *
 * Connecting is not safe on two threads at once, not even of two Workers: one
 * connection may be lost. Nor is beginning an iteration.
 *
 * "Asks the daemon" means: a request and a reply, some 15 µs where all is well,
 * without a time limit. It never returns while the daemon is stopped, and takes
 * up to 2 s to see that the daemon has died.
 */
export interface CpgCalls {
  /**
   * Connects to the daemon; asks it. The connection knows model v1 without a
   * totem callback or flags, and has no context.
   *
   * `cpg_initialize(cpg_handle_t *handle, cpg_callbacks_t *callbacks)`
   *
   * @param handle Where to write the handle: 8 bytes.
   * @param callbacks A `cpg_callbacks_t` ({@linkcode writeCpgCallbacks}), which
   * is copied; NULL for none.
   */
  cpg_initialize(handle: bigint, callbacks: bigint): number;

  /**
   * Connects to the daemon; asks it.
   *
   * `cpg_model_initialize(cpg_handle_t *handle, cpg_model_t model, cpg_model_data_t *data, void *context)`
   *
   * @param handle Where to write the handle: 8 bytes.
   * @param model {@linkcode CpgModel}`.V1`.
   * @param data A `cpg_model_v1_data_t` ({@linkcode writeCpgModelV1Data}),
   * which is copied; NULL for no callbacks and no flags.
   * @param context Any number, for `cpg_context_get`.
   */
  cpg_model_initialize(
    handle: bigint,
    model: number,
    data: bigint,
    context: bigint,
  ): number;

  /**
   * Ends a connection; asks the daemon. The process leaves the group, and the
   * others are told `PROCDOWN` unless `cpg_leave` came first. Whatever it
   * returns, the handle and its iterations are gone.
   *
   * A `cpg_dispatch` that waits on another thread is not woken, and keeps the
   * descriptor open. Called from a callback it ends the `cpg_dispatch` around
   * it. Zero-copy buffers are to be freed before.
   *
   * `cpg_finalize(cpg_handle_t handle)`
   */
  cpg_finalize(handle: bigint): number;

  /**
   * Tells the descriptor to `poll`: readable when there is something to
   * dispatch, hung up when the daemon is gone. It belongs to the connection:
   * neither read nor close it.
   *
   * `cpg_fd_get(cpg_handle_t handle, int *fd)`
   *
   * @param fd Where to write it: 4 bytes.
   */
  cpg_fd_get(handle: bigint, fd: bigint): number;

  /**
   * Tells the size up to which a message is sent in one piece, in bytes:
   * 1,047,552.
   *
   * `cpg_max_atomic_msgsize_get(cpg_handle_t handle, uint32_t *size)`
   *
   * @param size Where to write it: 4 bytes.
   */
  cpg_max_atomic_msgsize_get(handle: bigint, size: bigint): number;

  /**
   * Tells the context.
   *
   * `cpg_context_get(cpg_handle_t handle, void **context)`
   *
   * @param context Where to write it: 8 bytes.
   */
  cpg_context_get(handle: bigint, context: bigint): number;

  /**
   * Sets the context, a number of the program's own; at first it is what
   * `cpg_model_initialize` was given.
   *
   * `cpg_context_set(cpg_handle_t handle, void *context)`
   */
  cpg_context_set(handle: bigint, context: bigint): number;

  /**
   * Calls the callbacks for what has come; {@linkcode CsDispatch} says for how
   * much, and whether it waits. An event whose callback is NULL is dropped.
   *
   * In `calls` only for callbacks in machine code, or none: it has 1 MiB on
   * the stack, which leaves a callback in JavaScript none, and the event is
   * lost. In `async` the callbacks run on the JavaScript thread one by one; an
   * exception in one is printed and otherwise ignored.
   *
   * `cpg_dispatch(cpg_handle_t handle, cs_dispatch_flags_t types)`
   *
   * @param types A {@linkcode CsDispatch}; any other number is `BLOCKING`.
   */
  cpg_dispatch(handle: bigint, types: number): number;

  /**
   * Joins a group; asks the daemon. It returns before the members have agreed:
   * the process belongs to the group when a configuration change lists it as
   * joined.
   *
   * A handle joins one group, once: after `cpg_leave` it is good for nothing
   * but `cpg_finalize`. A process, known by node and process id, joins a group
   * by one handle. The process id is the one it has in its own namespace.
   *
   * `cpg_join(cpg_handle_t handle, const struct cpg_name *group)`
   *
   * @param group A `struct cpg_name` ({@linkcode writeCpgName}) of 1 to 128
   * bytes. The length is part of the name, a final NUL counts.
   */
  cpg_join(handle: bigint, group: bigint): number;

  /**
   * Leaves the group; asks the daemon. It returns before the members have
   * agreed, which a configuration change says that lists the process as left.
   * The handle receives what others do in the group even after that, until
   * `cpg_finalize`.
   *
   * `cpg_leave(cpg_handle_t handle, const struct cpg_name *group)`
   *
   * @param group The name given to `cpg_join`, exactly: it is not checked.
   */
  cpg_leave(handle: bigint, group: bigint): number;

  /**
   * Sends one message to the group, the sender included.
   *
   * Up to the atomic size it is copied into memory shared with the daemon, and
   * the call returns at once; the daemon drops it if the handle has not joined.
   * While the daemon is stopped some 280 such calls succeed, and the next one
   * spins without end: look by `poll` for room (POLLOUT) first. A larger
   * message goes in fragments, each of which asks the daemon, and is retried
   * for up to a second with a line on standard error for each try.
   *
   * `cpg_mcast_joined(cpg_handle_t handle, cpg_guarantee_t guarantee, const struct iovec *iovec, unsigned int iov_len)`
   *
   * @param guarantee A {@linkcode CpgGuarantee}, which is not checked: what is
   * sent is AGREED.
   * @param iovec The parts ({@linkcode writeIovec}).
   * @param iovLen How many: 0 to 63 up to the atomic size; more are not
   * checked and end the process. In fragments as many as you like.
   */
  cpg_mcast_joined(
    handle: bigint,
    guarantee: number,
    iovec: bigint,
    iovLen: number,
  ): number;

  /**
   * Tells who belongs to any group, joined or not; asks the daemon.
   *
   * `cpg_membership_get(cpg_handle_t handle, struct cpg_name *group, struct cpg_address *list, int *entries)`
   *
   * @param group The `struct cpg_name` of the group; it is not written to.
   * @param list Where to write the members ({@linkcode readCpgAddresses}):
   * room for {@linkcode CPG_MEMBERSHIP_MAX}. The reasons mean nothing.
   * @param entries Where to write how many there are: 4 bytes. What stands
   * there before is not looked at.
   */
  cpg_membership_get(
    handle: bigint,
    group: bigint,
    list: bigint,
    entries: bigint,
  ): number;

  /**
   * Tells the id of this node; asks the daemon.
   *
   * `cpg_local_get(cpg_handle_t handle, unsigned int *nodeid)`
   *
   * @param nodeId Where to write it: 4 bytes.
   */
  cpg_local_get(handle: bigint, nodeId: bigint): number;

  /**
   * Says that flow control is disabled, always; it shows itself as
   * `CS_ERR_TRY_AGAIN` of a send.
   *
   * `cpg_flow_control_state_get(cpg_handle_t handle, cpg_flow_control_state_t *state)`
   *
   * @param state Where to write a {@linkcode CpgFlowControl}: 4 bytes.
   */
  cpg_flow_control_state_get(handle: bigint, state: bigint): number;

  /**
   * Allocates memory shared with the daemon; asks it. `null` if the library
   * lacks it. Ends the process where it cannot make, fill or map a file of
   * that size in `/dev/shm`. After corosync 3.1.10 it is `malloc`.
   *
   * `cpg_zcb_alloc(cpg_handle_t handle, size_t size, void **buffer)`
   *
   * @param size In bytes.
   * @param buffer Where to write the address: 8 bytes. The 56 bytes before
   * that address are libcpg's own.
   */
  cpg_zcb_alloc:
    | ((handle: bigint, size: bigint, buffer: bigint) => number)
    | null;

  /**
   * Frees memory from `cpg_zcb_alloc`; asks the daemon. `null` if the library
   * lacks it. Unless it returns `CS_OK` the memory stays mapped. After corosync
   * 3.1.10 it is `free`.
   *
   * `cpg_zcb_free(cpg_handle_t handle, void *buffer)`
   *
   * @param buffer What `cpg_zcb_alloc` gave, once: anything else, or the same
   * again, ends the process.
   */
  cpg_zcb_free: ((handle: bigint, buffer: bigint) => number) | null;

  /**
   * Sends one message out of memory from `cpg_zcb_alloc`; asks the daemon,
   * which copies it before the reply: afterwards it may be written to. `null`
   * if the library lacks it. After corosync 3.1.10 it is `cpg_mcast_joined`.
   *
   * `cpg_zcb_mcast_joined(cpg_handle_t handle, cpg_guarantee_t guarantee, void *msg, size_t msg_len)`
   *
   * @param guarantee As for `cpg_mcast_joined`.
   * @param message What `cpg_zcb_alloc` gave; not an address further inside.
   * @param length In bytes: no more than were allocated, which is not checked,
   * and no more than the atomic size.
   */
  cpg_zcb_mcast_joined:
    | ((
      handle: bigint,
      guarantee: number,
      message: bigint,
      length: bigint,
    ) => number)
    | null;

  /**
   * Begins to go over groups or members, as they are now; asks the daemon.
   *
   * `cpg_iteration_initialize(cpg_handle_t handle, cpg_iteration_type_t type, const struct cpg_name *group, cpg_iteration_handle_t *iteration)`
   *
   * @param type A {@linkcode CpgIteration}.
   * @param group The `struct cpg_name` of the group for ONE_GROUP; NULL for
   * the others.
   * @param iteration Where to write the iteration's handle: 8 bytes.
   */
  cpg_iteration_initialize(
    handle: bigint,
    type: number,
    group: bigint,
    iteration: bigint,
  ): number;

  /**
   * Tells the next; asks the daemon. If that dies meanwhile, it never returns.
   * After the last comes `CS_ERR_NO_SECTIONS`, and then the first again.
   *
   * `cpg_iteration_next(cpg_iteration_handle_t iteration, struct cpg_iteration_description_t *description)`
   *
   * @param description Where to write it
   * ({@linkcode readCpgIterationDescription}): 140 bytes. With NAME_ONLY node
   * and process id are 0.
   */
  cpg_iteration_next(iteration: bigint, description: bigint): number;

  /**
   * Ends an iteration; asks the daemon.
   *
   * `cpg_iteration_finalize(cpg_iteration_handle_t iteration)`
   */
  cpg_iteration_finalize(iteration: bigint): number;
}

/** The same for the runtime. */
export const cpgSignatures: Readonly<Record<keyof CpgCalls, Signature>> = {
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
