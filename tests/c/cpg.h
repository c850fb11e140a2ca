/* As much of libcpg's interface as the programs here use, so that they can be
 * built where its header is not installed. */
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum {
  CS_OK = 1,
  CS_ERR_LIBRARY,
  CS_ERR_VERSION,
  CS_ERR_INIT,
  CS_ERR_TIMEOUT,
  CS_ERR_TRY_AGAIN,
  CS_ERR_INVALID_PARAM,
  CS_ERR_NO_MEMORY,
  CS_ERR_BAD_HANDLE,
  CS_ERR_BUSY,
  CS_ERR_ACCESS,
  CS_ERR_NOT_EXIST,
  CS_ERR_NAME_TOO_LONG,
  CS_ERR_EXIST,
  CS_ERR_NO_SPACE,
  CS_ERR_INTERRUPT,
  CS_ERR_NAME_NOT_FOUND,
  CS_ERR_NO_RESOURCES,
  CS_ERR_NOT_SUPPORTED,
  CS_ERR_BAD_OPERATION,
  CS_ERR_FAILED_OPERATION,
  CS_ERR_MESSAGE_ERROR,
  CS_ERR_QUEUE_FULL,
  CS_ERR_QUEUE_NOT_AVAILABLE,
  CS_ERR_BAD_FLAGS,
  CS_ERR_TOO_BIG,
  CS_ERR_NO_SECTIONS,
  CS_ERR_CONTEXT_NOT_FOUND,
  CS_ERR_TOO_MANY_GROUPS = 30,
  CS_ERR_SECURITY = 100
};
enum {
  CS_DISPATCH_ONE = 1,
  CS_DISPATCH_ALL,
  CS_DISPATCH_BLOCKING,
  CS_DISPATCH_ONE_NONBLOCKING
};
enum { CPG_TYPE_UNORDERED, CPG_TYPE_FIFO, CPG_TYPE_AGREED, CPG_TYPE_SAFE };
enum { CPG_FLOW_CONTROL_DISABLED, CPG_FLOW_CONTROL_ENABLED };
enum {
  CPG_REASON_UNDEFINED,
  CPG_REASON_JOIN,
  CPG_REASON_LEAVE,
  CPG_REASON_NODEDOWN,
  CPG_REASON_NODEUP,
  CPG_REASON_PROCDOWN
};
enum {
  CPG_ITERATION_NAME_ONLY = 1,
  CPG_ITERATION_ONE_GROUP,
  CPG_ITERATION_ALL
};
enum { CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF = 1 };
enum { CPG_MAX_NAME_LENGTH = 128, CPG_MEMBERS_MAX = 128 };
enum { PROCESSOR_COUNT_MAX = 384 };

typedef enum { CPG_MODEL_V1 = 1 } cpg_model_t;
typedef uint64_t cpg_handle_t;

struct cpg_name {
  uint32_t length;
  char value[CPG_MAX_NAME_LENGTH];
};

struct cpg_address {
  uint32_t nodeid;
  uint32_t pid;
  uint32_t reason;
};

struct cpg_ring_id {
  uint32_t nodeid;
  uint64_t seq;
};

struct cpg_iteration_description_t {
  struct cpg_name group;
  uint32_t nodeid;
  uint32_t pid;
};

typedef void (*cpg_deliver_fn_t)(cpg_handle_t, const struct cpg_name *,
                                 uint32_t nodeid, uint32_t pid, void *message,
                                 size_t length);
typedef void (*cpg_confchg_fn_t)(cpg_handle_t, const struct cpg_name *,
                                 const struct cpg_address *members,
                                 size_t member_count,
                                 const struct cpg_address *left,
                                 size_t left_count,
                                 const struct cpg_address *joined,
                                 size_t joined_count);
typedef void (*cpg_totem_confchg_fn_t)(cpg_handle_t, struct cpg_ring_id,
                                       uint32_t count, const uint32_t *nodes);

typedef struct {
  cpg_deliver_fn_t cpg_deliver_fn;
  cpg_confchg_fn_t cpg_confchg_fn;
} cpg_callbacks_t;

typedef struct {
  cpg_model_t model;
  cpg_deliver_fn_t cpg_deliver_fn;
  cpg_confchg_fn_t cpg_confchg_fn;
  cpg_totem_confchg_fn_t cpg_totem_confchg_fn;
  unsigned int flags;
} cpg_model_v1_data_t;

int cpg_model_initialize(cpg_handle_t *, cpg_model_t model,
                         cpg_model_v1_data_t *, void *context);
int cpg_initialize(cpg_handle_t *, cpg_callbacks_t *);
int cpg_finalize(cpg_handle_t);
int cpg_local_get(cpg_handle_t, unsigned int *);
int cpg_fd_get(cpg_handle_t, int *);
int cpg_dispatch(cpg_handle_t, int);
int cpg_join(cpg_handle_t, const struct cpg_name *);
int cpg_leave(cpg_handle_t, const struct cpg_name *);
int cpg_mcast_joined(cpg_handle_t, int guarantee, const struct iovec *,
                     unsigned int count);
int cpg_zcb_alloc(cpg_handle_t, size_t, void **);
int cpg_zcb_free(cpg_handle_t, void *);
int cpg_zcb_mcast_joined(cpg_handle_t, int guarantee, void *, size_t);
