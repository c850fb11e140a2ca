/* libcpg up to 3.1.10 with a daemon that does not map: one after 3.1.10, or
 * one that failed. Nobody unlinks the file, the server's address stays 0, and
 * whoever still uses the calls that need it ends the process. */
#define _GNU_SOURCE
#include "cpg.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { HEADER = 56 };

int cpg_zcb_alloc(cpg_handle_t handle, size_t size, void **buffer) {
  char path[] = "/dev/shm/corosync_zerocopy-XXXXXX";
  int fd = mkstemp(path);
  if (fd < 0 || ftruncate(fd, (off_t)(size + HEADER)) != 0) abort();
  char *map = mmap(NULL, size + HEADER, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                   0);
  close(fd);
  if (map == MAP_FAILED) abort();
  *(int32_t *)map = (int32_t)(size + HEADER);
  *buffer = map + HEADER;
  return CS_OK;
}

int cpg_zcb_free(cpg_handle_t handle, void *buffer) { abort(); }

int cpg_zcb_mcast_joined(cpg_handle_t handle, int guarantee, void *message,
                         size_t length) {
  abort();
}
