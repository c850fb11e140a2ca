/**
 * What the functions of libcpg come to, when, and what to do about it: the one
 * source of the messages of `CpgError` and of `docs/errors.md`.
 *
 * It was found in the sources of corosync and libqb; the tests provoke each
 * row that does not say why they cannot.
 *
 * @module
 */
import { singleRows, zeroCopyRows } from "./error_table_single.ts";
import type { CsErrorName } from "./errors.ts";

/** What a call comes to. */
export type Outcome = CsErrorName | "never returns" | "ends the process";

/** A row of the table. */
export interface Row {
  /** The functions that it is about. */
  readonly calls: readonly string[];
  /** What they come to; with `CS_OK`, something else than success. */
  readonly outcome: Outcome;
  /** When they do; a clause. */
  readonly when: string;
  /** What to do; a clause that can follow it after a colon. */
  readonly remedy: string;
  /** Why no test provokes it. */
  readonly untested?: string;
}

const connecting = ["cpg_initialize", "cpg_model_initialize"];
const asking = [
  "cpg_join",
  "cpg_leave",
  "cpg_membership_get",
  "cpg_local_get",
  "cpg_iteration_initialize",
  "cpg_iteration_finalize",
  "cpg_zcb_mcast_joined",
];
const wantingName = [
  "cpg_join",
  "cpg_leave",
  "cpg_membership_get",
  "cpg_iteration_initialize",
];
const failingMalloc = "needs a malloc that fails in the middle of the call";

/** What connecting comes to. */
const connectingRows: readonly Row[] = [
  {
    calls: connecting,
    outcome: "CS_ERR_LIBRARY",
    when: "no corosync runs in this network namespace",
    remedy:
      "start it (systemctl start corosync), or give this process its network namespace",
  },
  {
    calls: connecting,
    outcome: "CS_ERR_LIBRARY",
    when: "this process can open no more files",
    remedy: "close some, or raise the limit (ulimit -n)",
  },
  {
    calls: connecting,
    outcome: "CS_ERR_LIBRARY",
    when: "corosync can open no more files",
    remedy:
      "close connections, or raise its limit (LimitNOFILE of its service)",
    untested: "the limits of the daemon are not the tests' to change",
  },
  {
    calls: connecting,
    outcome: "CS_ERR_TRY_AGAIN",
    when: "corosync is starting, and has not formed a ring yet",
    remedy: "try again",
  },
  {
    calls: connecting,
    outcome: "CS_ERR_ACCESS",
    when: "corosync refuses this user",
    remedy:
      "run as root, or allow the user in /etc/corosync/uidgid.d (see corosync.conf(5))",
  },
  {
    calls: connecting,
    outcome: "CS_ERR_NOT_EXIST",
    when:
      "corosync's /dev/shm is not that of this process, which may be in a container",
    remedy: "give it the same one (docker run --ipc=host)",
  },
  {
    calls: connecting,
    outcome: "CS_ERR_NOT_EXIST",
    when:
      "no corosync runs, and libqb is set to use socket files (/etc/libqb/force-filesystem-sockets)",
    remedy: "start it (systemctl start corosync)",
    untested: "a file of the machine is not the tests' to create",
  },
  {
    calls: connecting,
    outcome: "CS_ERR_NO_SPACE",
    when: "/dev/shm has no room for a connection, some 3 MiB",
    remedy:
      "close connections, free buffers, or make it larger (mount -o remount,size=…, docker run --shm-size)",
  },
  {
    calls: connecting,
    outcome: "CS_ERR_NO_MEMORY",
    when: "this process is out of memory",
    remedy: "free some",
    untested: failingMalloc,
  },
  {
    calls: connecting,
    outcome: "CS_ERR_BAD_HANDLE",
    when:
      "another thread connects at this moment, for which libqb has no lock; its connection may be the one that is lost",
    remedy: "connect one by one",
    untested: "it is a race, which goes well nearly always",
  },
  {
    calls: ["cpg_model_initialize"],
    outcome: "CS_ERR_INVALID_PARAM",
    when: "the model is not 1",
    remedy: "give CPG_MODEL_V1",
  },
  {
    calls: ["cpg_model_initialize"],
    outcome: "CS_ERR_INVALID_PARAM",
    when:
      "a flag is unknown, in which case the descriptor of the connection stays open for good",
    remedy: "give no other flag than CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF",
  },
];

/** What any call that asks the daemon comes to. */
const askingRows: readonly Row[] = [
  {
    calls: [
      ...asking,
      "cpg_finalize",
      "cpg_fd_get",
      "cpg_max_atomic_msgsize_get",
      "cpg_context_get",
      "cpg_context_set",
      "cpg_flow_control_state_get",
      "cpg_dispatch",
      "cpg_mcast_joined",
      "cpg_zcb_alloc",
    ].filter((call) => call !== "cpg_iteration_finalize"),
    outcome: "CS_ERR_BAD_HANDLE",
    when: "the connection is closed, or never was one",
    remedy: "connect again",
  },
  {
    calls: asking,
    outcome: "CS_ERR_LIBRARY",
    when: "corosync has died, before or during the call, which may take 2 s",
    remedy:
      "finalize, see that it runs (systemctl status corosync), and connect again",
  },
  {
    calls: [...asking, "cpg_iteration_next"],
    outcome: "CS_ERR_TRY_AGAIN",
    when:
      "corosync is behind with this connection's requests, or is forming a new membership",
    remedy: "try again",
  },
  {
    calls: [
      ...connecting,
      ...asking,
      "cpg_finalize",
      "cpg_iteration_next",
      "cpg_zcb_alloc",
      "cpg_zcb_free",
    ],
    outcome: "never returns",
    when: "corosync is stopped (SIGSTOP, a debugger)",
    remedy:
      "call it on another thread (`async`), and do not depend on its outcome",
  },
  {
    calls: wantingName,
    outcome: "CS_ERR_NAME_TOO_LONG",
    when: "the name has more than 128 bytes",
    remedy: "shorten it",
  },
];

/** The table. */
export const table: readonly Row[] = [
  ...connectingRows,
  ...askingRows,
  ...singleRows,
  ...zeroCopyRows,
];

/** What to do about a code that the table does not have for a call. */
export const otherwise: Readonly<Partial<Record<CsErrorName, string>>> = {
  CS_ERR_LIBRARY:
    "the connection to corosync is broken: see that it runs (systemctl status corosync)",
  CS_ERR_TRY_AGAIN: "corosync is busy: try again",
  CS_ERR_NO_MEMORY: "this process or corosync is out of memory",
  CS_ERR_BAD_HANDLE: "the connection is closed: connect again",
  CS_ERR_NOT_SUPPORTED: "this version of corosync does not do that",
};

/** What to do about a code that nothing is known of. */
export const unknown = "corosync's log may say more";
