/* libcpg as it is after 3.1.10: zero copy is malloc, and checks no handle.
 * What is freed is overwritten, so that a later use of it shows. */
#define _GNU_SOURCE
#include "cpg.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

int cpg_zcb_alloc(cpg_handle_t handle, size_t size, void **buffer) {
  *buffer = malloc(size);
  return *buffer ? CS_OK : CS_ERR_NO_MEMORY;
}

int cpg_zcb_free(cpg_handle_t handle, void *buffer) {
  /* The compiler leaves out a memset right before free. */
  explicit_bzero(buffer, malloc_usable_size(buffer));
  free(buffer);
  return CS_OK;
}

int cpg_zcb_mcast_joined(cpg_handle_t handle, int guarantee, void *message,
                         size_t length) {
  struct iovec part = {message, length};
  return cpg_mcast_joined(handle, guarantee, &part, 1);
}
