/* libcpg as it is after 3.1.10, where zero copy is malloc, with a daemon that
 * does not answer a large message: while one is under way, and until somebody
 * removes it, there is a file beside the library, its name ending in ".sending".
 * One that ends in ".freed" says that the message was freed meanwhile. */
#define _GNU_SOURCE
#include "cpg.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LARGE = 2000000 };

static void *sending;

static const char *beside(const char *ending) {
  static __thread char path[PATH_MAX];
  Dl_info info;
  if (!dladdr(beside, &info)) abort();
  snprintf(path, sizeof path, "%s.%s", info.dli_fname, ending);
  return path;
}

static void create(const char *path) {
  int fd = open(path, O_CREAT | O_WRONLY, 0600);
  if (fd < 0 || close(fd)) abort();
}

int cpg_zcb_alloc(cpg_handle_t handle, size_t size, void **buffer) {
  *buffer = malloc(size);
  return *buffer ? CS_OK : CS_ERR_NO_MEMORY;
}

int cpg_mcast_joined(cpg_handle_t handle, int guarantee,
                     const struct iovec *parts, unsigned int count) {
  if (parts->iov_len < LARGE) {
    int (*real)(cpg_handle_t, int, const struct iovec *, unsigned int) =
        dlsym(RTLD_NEXT, "cpg_mcast_joined");
    return real(handle, guarantee, parts, count);
  }
  sending = parts->iov_base;
  const char *path = beside("sending");
  create(path);
  while (!access(path, F_OK)) usleep(1000);
  sending = NULL;
  return CS_OK;
}

void free(void *memory) {
  if (memory && memory == sending) create(beside("freed"));
  ((void (*)(void *))dlsym(RTLD_NEXT, "free"))(memory);
}
