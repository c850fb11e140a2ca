/* libcpg, but that connecting on two threads at once fails, as it sometimes
 * does there. */
#define _GNU_SOURCE
#include "cpg.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <unistd.h>

int cpg_model_initialize(cpg_handle_t *handle, cpg_model_t model,
                         cpg_model_v1_data_t *data, void *context) {
  static atomic_int inside;
  int (*real)(cpg_handle_t *, cpg_model_t, cpg_model_v1_data_t *, void *) =
      dlsym(dlopen("libcpg.so.4", RTLD_NOW | RTLD_NOLOAD),
            "cpg_model_initialize");
  int before = atomic_fetch_add(&inside, 1);
  usleep(5000);
  int result = before == 0 ? real(handle, model, data, context)
                           : CS_ERR_BAD_HANDLE;
  atomic_fetch_sub(&inside, 1);
  return result;
}
