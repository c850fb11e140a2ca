/**
 * The rows of the table of errors that are about single functions of libcpg.
 *
 * @module
 */
import type { Row } from "./error_table.ts";

const failingMalloc = "needs a malloc that fails in the middle of the call";

/** What single calls come to. */
export const singleRows: readonly Row[] = [
  {
    calls: ["cpg_finalize"],
    outcome: "CS_ERR_LIBRARY",
    when: "corosync has died",
    remedy: "go on: the connection is closed all the same",
  },
  {
    calls: ["cpg_finalize"],
    outcome: "CS_ERR_TRY_AGAIN",
    when: "corosync is behind with this connection's requests",
    remedy: "go on: the connection is closed all the same",
  },
  {
    calls: ["cpg_dispatch"],
    outcome: "CS_ERR_BAD_HANDLE",
    when: "a callback has called cpg_finalize",
    remedy: "go on: that is how CS_DISPATCH_BLOCKING ends",
  },
  {
    calls: ["cpg_dispatch"],
    outcome: "CS_ERR_LIBRARY",
    when: "corosync has died, and with it what was not dispatched yet",
    remedy:
      "finalize, see that it runs (systemctl status corosync), and connect again",
  },
  {
    calls: ["cpg_dispatch"],
    outcome: "CS_ERR_TRY_AGAIN",
    when: "there is nothing to dispatch (CS_DISPATCH_ONE_NONBLOCKING)",
    remedy: "wait until the descriptor is readable",
  },
  {
    calls: ["cpg_dispatch"],
    outcome: "CS_ERR_NO_MEMORY",
    when:
      "there is no memory to put a message in fragments together, which is lost",
    remedy: "connect again",
    untested: failingMalloc,
  },
  {
    calls: ["cpg_dispatch"],
    outcome: "CS_OK",
    when:
      "the group has more than 128 members, and the lists of a configuration change run into each other",
    remedy: "take members beyond the 128th from cpg_membership_get",
  },
  {
    calls: ["cpg_dispatch"],
    outcome: "never returns",
    when:
      "it waits, and another thread calls cpg_finalize: that does not wake it",
    remedy:
      "finalize from a callback, or poll the descriptor and dispatch without waiting",
  },
  {
    calls: ["cpg_dispatch"],
    outcome: "ends the process",
    when:
      "the deliver callback is NULL, and a message in fragments arrives (up to corosync 3.1.9)",
    remedy: "give a deliver callback",
    untested: "later versions do not do it any more",
  },
  {
    calls: ["cpg_join"],
    outcome: "CS_ERR_EXIST",
    when: "this process has joined the group already, by another connection",
    remedy: "use that one, or finalize it before",
  },
  {
    calls: ["cpg_join"],
    outcome: "CS_ERR_EXIST",
    when:
      "a process with the same process id has joined the group from another container of this node",
    remedy: "use one process id namespace (docker run --pid=host)",
  },
  {
    calls: ["cpg_join"],
    outcome: "CS_ERR_EXIST",
    when: "the connection has joined a group",
    remedy: "make a connection for each group",
  },
  {
    calls: ["cpg_join"],
    outcome: "CS_ERR_EXIST",
    when: "the connection has joined and left this group",
    remedy: "finalize it, and make another",
  },
  {
    calls: ["cpg_join"],
    outcome: "never returns",
    when: "the connection has joined and left another group",
    remedy: "finalize it, and make another",
  },
  {
    calls: ["cpg_join"],
    outcome: "CS_ERR_TRY_AGAIN",
    when:
      "this process has finalized a connection that was in the group, and the members have not agreed on that yet",
    remedy: "try again",
  },
  {
    calls: ["cpg_join"],
    outcome: "CS_OK",
    when:
      "the name is empty, and the process stays a member for as long as corosync runs",
    remedy: "give a name of 1 to 128 bytes",
  },
  {
    calls: ["cpg_leave"],
    outcome: "CS_ERR_NOT_EXIST",
    when: "the connection has not joined a group, or has left it",
    remedy: "go on",
  },
  {
    calls: ["cpg_leave"],
    outcome: "CS_OK",
    when:
      "the name is not that of the group: the process stays a member for as long as corosync runs, and leaves the named group if it is in that, too",
    remedy: "give the name that cpg_join was given",
  },
  {
    calls: ["cpg_mcast_joined"],
    outcome: "CS_ERR_LIBRARY",
    when: "corosync has died",
    remedy:
      "finalize, see that it runs (systemctl status corosync), and connect again",
  },
  {
    calls: ["cpg_mcast_joined"],
    outcome: "CS_ERR_TRY_AGAIN",
    when:
      "corosync is behind with sending, or is forming a new membership; a message in fragments has been tried for a second by then",
    remedy: "try again, in growing intervals, and with the whole message",
  },
  {
    calls: ["cpg_mcast_joined"],
    outcome: "CS_ERR_TRY_AGAIN",
    when: "corosync has died amid the fragments of a message",
    remedy: "poll the descriptor, which says so, before trying again",
  },
  {
    calls: ["cpg_mcast_joined"],
    outcome: "CS_ERR_NOT_EXIST",
    when:
      "the connection has not joined a group, or has left it, and the message goes in fragments",
    remedy: "join before",
  },
  {
    calls: ["cpg_mcast_joined"],
    outcome: "CS_ERR_INTERRUPT",
    when:
      "the membership has changed amid the fragments of the message, which nobody receives",
    remedy: "send it again",
  },
  {
    calls: ["cpg_mcast_joined"],
    outcome: "CS_OK",
    when:
      "the connection has not joined a group, or has left it, and the message goes in one piece: nobody receives it",
    remedy: "join before",
  },
  {
    calls: ["cpg_mcast_joined"],
    outcome: "CS_OK",
    when:
      "the connection breaks amid the fragments of the message, which nobody receives",
    remedy:
      "poll the descriptor afterwards, or wait for the message to come back",
  },
  {
    calls: ["cpg_mcast_joined"],
    outcome: "never returns",
    when:
      "corosync is stopped, and some 280 messages have been sent since, or this one goes in fragments",
    remedy: "poll the descriptor for POLLOUT before",
  },
  {
    calls: ["cpg_mcast_joined"],
    outcome: "ends the process",
    when: "a message in one piece has more than 63 parts",
    remedy: "put parts together",
  },
  {
    calls: ["cpg_membership_get"],
    outcome: "CS_ERR_INVALID_PARAM",
    when: "the list or the number of entries is NULL",
    remedy: "give both",
  },
  {
    calls: ["cpg_iteration_initialize"],
    outcome: "CS_ERR_INVALID_PARAM",
    when:
      "the group is NULL with CPG_ITERATION_ONE_GROUP, or is not with another type",
    remedy: "name a group for that type alone",
  },
  {
    calls: ["cpg_iteration_initialize"],
    outcome: "CS_ERR_INVALID_PARAM",
    when: "the type is not 1, 2 or 3",
    remedy: "give a cpg_iteration_type_t",
  },
  {
    calls: ["cpg_iteration_initialize"],
    outcome: "CS_ERR_INVALID_PARAM",
    when: "the address for the iteration's handle is NULL",
    remedy: "give one",
  },
  {
    calls: ["cpg_iteration_initialize"],
    outcome: "CS_ERR_NO_MEMORY",
    when: "this process or corosync is out of memory",
    remedy: "free some",
    untested: failingMalloc,
  },
  {
    calls: ["cpg_iteration_next", "cpg_iteration_finalize"],
    outcome: "CS_ERR_BAD_HANDLE",
    when: "the iteration or its connection is finalized, or never was one",
    remedy: "begin another",
  },
  {
    calls: ["cpg_iteration_next"],
    outcome: "CS_ERR_LIBRARY",
    when: "corosync has died before the call",
    remedy:
      "finalize, see that it runs (systemctl status corosync), and connect again",
  },
  {
    calls: ["cpg_iteration_next"],
    outcome: "never returns",
    when: "corosync dies during the call",
    remedy:
      "call it on another thread (`async`), and do not depend on its outcome",
  },
  {
    calls: ["cpg_iteration_next"],
    outcome: "CS_ERR_INVALID_PARAM",
    when: "the description is NULL",
    remedy: "give one",
  },
  {
    calls: ["cpg_iteration_next"],
    outcome: "CS_ERR_NO_SECTIONS",
    when: "that was the last; what comes next is the first again",
    remedy: "finalize the iteration",
  },
];

/** What zero copy comes to, which the man pages leave out. */
export const zeroCopyRows: readonly Row[] = [
  {
    calls: ["cpg_zcb_alloc"],
    outcome: "CS_ERR_LIBRARY",
    when: "corosync has died; a map and a file in /dev/shm are left behind",
    remedy:
      "finalize, see that it runs (systemctl status corosync), and connect again",
  },
  {
    calls: ["cpg_zcb_alloc"],
    outcome: "CS_ERR_TRY_AGAIN",
    when:
      "corosync is behind with this connection's requests; a map and a file in /dev/shm are left behind",
    remedy: "try again",
  },
  {
    calls: ["cpg_zcb_alloc"],
    outcome: "CS_ERR_NO_MEMORY",
    when: "this process is out of memory (after corosync 3.1.10)",
    remedy: "free some",
  },
  {
    calls: ["cpg_zcb_alloc"],
    outcome: "CS_OK",
    when:
      "corosync has not mapped the memory: it is a version after 3.1.10, or was too busy",
    remedy:
      "send with cpg_mcast_joined where the u64 of corosync's address, 48 bytes before the memory, is 0",
  },
  {
    calls: ["cpg_zcb_alloc"],
    outcome: "ends the process",
    when:
      "no file of that size can be made, filled or mapped in /dev/shm: there is no room, or a limit is reached",
    remedy: "look before, as the groups of this library do",
  },
  {
    calls: ["cpg_zcb_free"],
    outcome: "CS_ERR_BAD_HANDLE",
    when: "the connection is closed; the memory stays mapped",
    remedy: "free before finalizing",
  },
  {
    calls: ["cpg_zcb_free"],
    outcome: "CS_ERR_LIBRARY",
    when: "corosync has died; the memory stays mapped",
    remedy: "unmap it, from 56 bytes before on",
  },
  {
    calls: ["cpg_zcb_free"],
    outcome: "CS_ERR_TRY_AGAIN",
    when:
      "corosync is behind with this connection's requests; the memory stays mapped",
    remedy: "try again",
  },
  {
    calls: ["cpg_zcb_free"],
    outcome: "CS_ERR_INVALID_PARAM",
    when:
      "the 56 bytes before the memory, which are libcpg's own, were written to",
    remedy: "leave them alone",
  },
  {
    calls: ["cpg_zcb_free"],
    outcome: "ends the process",
    when: "the memory is freed already, or not from cpg_zcb_alloc",
    remedy: "free what that gave, once",
  },
  {
    calls: ["cpg_zcb_mcast_joined"],
    outcome: "CS_ERR_NOT_EXIST",
    when: "the connection has not joined a group, or has left it",
    remedy: "join before",
  },
  {
    calls: ["cpg_zcb_mcast_joined"],
    outcome: "CS_ERR_TRY_AGAIN",
    when: "corosync's queue of messages is full",
    remedy: "try again, in growing intervals",
  },
  {
    calls: ["cpg_zcb_mcast_joined"],
    outcome: "CS_ERR_TOO_BIG",
    when: "the message has more than 1,048,576 bytes",
    remedy: "send no more than cpg_max_atomic_msgsize_get says",
  },
  {
    calls: ["cpg_zcb_mcast_joined"],
    outcome: "CS_ERR_NOT_SUPPORTED",
    when: "corosync is a version after 3.1.10, and libcpg is not",
    remedy: "send with cpg_mcast_joined",
    untested: "needs two versions of corosync",
  },
  {
    calls: ["cpg_zcb_mcast_joined"],
    outcome: "CS_OK",
    when:
      "the message has more than 1,048,392 bytes: nobody receives it, and no connection in the group receives anything any more",
    remedy: "send no more than cpg_max_atomic_msgsize_get says",
  },
  {
    calls: ["cpg_zcb_mcast_joined"],
    outcome: "CS_OK",
    when:
      "the message is longer than the memory, and corosync sends what follows in its own, or dies",
    remedy: "send no more than was allocated",
  },
];
