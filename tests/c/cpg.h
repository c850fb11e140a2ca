/* As much of libcpg's interface as the programs here use, so that they can be
 * built where its header is not installed. */
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum { CS_OK = 1, CS_ERR_TRY_AGAIN = 6, CS_ERR_BAD_HANDLE = 9 };
enum { CS_DISPATCH_ONE = 1, CS_DISPATCH_ALL = 2 };
enum { CPG_TYPE_AGREED = 2 };

typedef uint64_t cpg_handle_t;

struct cpg_name {
  uint32_t length;
  char value[128];
};

struct cpg_address {
  uint32_t nodeid;
  uint32_t pid;
  uint32_t reason;
};

typedef void cpg_deliver_fn(cpg_handle_t, const struct cpg_name *,
                            uint32_t nodeid, uint32_t pid, void *message,
                            size_t length);
typedef void cpg_confchg_fn(cpg_handle_t, const struct cpg_name *,
                            const struct cpg_address *members,
                            size_t member_count,
                            const struct cpg_address *left, size_t left_count,
                            const struct cpg_address *joined,
                            size_t joined_count);

typedef struct {
  cpg_deliver_fn *deliver;
  cpg_confchg_fn *confchg;
} cpg_callbacks_t;

enum { CPG_MODEL_V1 = 1, CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF = 1 };

struct cpg_ring_id {
  uint32_t nodeid;
  uint64_t seq;
};

typedef struct {
  int model;
  cpg_deliver_fn *deliver;
  cpg_confchg_fn *confchg;
  void (*ring)(cpg_handle_t, struct cpg_ring_id, uint32_t count,
               const uint32_t *nodes);
  unsigned int flags;
} cpg_model_v1_data_t;

int cpg_model_initialize(cpg_handle_t *, int model, cpg_model_v1_data_t *,
                         void *context);
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
