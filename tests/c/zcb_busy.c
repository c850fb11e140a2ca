/* libcpg with a daemon that says three times to try again, on every zero-copy
 * send and on every allocation, and then does it. */
#define _GNU_SOURCE
#include "cpg.h"

#include <dlfcn.h>

enum { TIMES = 3 };

static void *real(const char *name) {
  return dlsym(dlopen("libcpg.so.4", RTLD_NOW | RTLD_NOLOAD), name);
}

int cpg_zcb_mcast_joined(cpg_handle_t handle, int guarantee, void *message,
                         size_t length) {
  static int calls;
  if (calls++ % (TIMES + 1) < TIMES) return CS_ERR_TRY_AGAIN;
  int (*send)(cpg_handle_t, int, void *, size_t) = real("cpg_zcb_mcast_joined");
  return send(handle, guarantee, message, length);
}

int cpg_zcb_alloc(cpg_handle_t handle, size_t size, void **buffer) {
  static int calls;
  if (calls++ % (TIMES + 1) < TIMES) return CS_ERR_TRY_AGAIN;
  int (*alloc)(cpg_handle_t, size_t, void **) = real("cpg_zcb_alloc");
  return alloc(handle, size, buffer);
}
