/* A libcpg whose daemon refuses this user, and that lacks zero copy. */
#define CALL(name, result) \
  int name(void) { return result; }

CALL(cpg_model_initialize, 11) /* CS_ERR_ACCESS */
CALL(cpg_initialize, 11)
CALL(cpg_finalize, 9)
CALL(cpg_fd_get, 9)
CALL(cpg_max_atomic_msgsize_get, 9)
CALL(cpg_context_get, 9)
CALL(cpg_context_set, 9)
CALL(cpg_dispatch, 9)
CALL(cpg_join, 9)
CALL(cpg_leave, 9)
CALL(cpg_mcast_joined, 9)
CALL(cpg_membership_get, 9)
CALL(cpg_local_get, 9)
CALL(cpg_flow_control_state_get, 9)
CALL(cpg_iteration_initialize, 9)
CALL(cpg_iteration_next, 9)
CALL(cpg_iteration_finalize, 9)
