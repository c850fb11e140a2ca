/* As much of libcpg's interface as the programs here use, so that they can be
 * built where its header is not installed. */
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum { CS_OK = 1, CS_ERR_TRY_AGAIN = 6 };
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

typedef struct {
  void (*deliver)(cpg_handle_t, const struct cpg_name *, uint32_t nodeid,
                  uint32_t pid, void *message, size_t length);
  void (*confchg)(cpg_handle_t, const struct cpg_name *,
                  const struct cpg_address *members, size_t member_count,
                  const struct cpg_address *left, size_t left_count,
                  const struct cpg_address *joined, size_t joined_count);
} cpg_callbacks_t;

int cpg_initialize(cpg_handle_t *, cpg_callbacks_t *);
int cpg_finalize(cpg_handle_t);
int cpg_fd_get(cpg_handle_t, int *);
int cpg_dispatch(cpg_handle_t, int);
int cpg_join(cpg_handle_t, const struct cpg_name *);
int cpg_leave(cpg_handle_t, const struct cpg_name *);
int cpg_mcast_joined(cpg_handle_t, int guarantee, const struct iovec *,
                     unsigned int count);
int cpg_zcb_alloc(cpg_handle_t, size_t, void **);
int cpg_zcb_free(cpg_handle_t, void *);
int cpg_zcb_mcast_joined(cpg_handle_t, int guarantee, void *, size_t);
