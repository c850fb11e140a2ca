/* libcpg whose connection breaks amid the fragments of a message, which it does
 * not say. */
#define _GNU_SOURCE
#include "cpg.h"

#include <dlfcn.h>
#include <sys/socket.h>

static void *real(const char *name) {
  return dlsym(dlopen("libcpg.so.4", RTLD_NOW | RTLD_NOLOAD), name);
}

int cpg_mcast_joined(cpg_handle_t handle, int guarantee,
                     const struct iovec *parts, unsigned count) {
  int (*mcast)(cpg_handle_t, int, const struct iovec *, unsigned) =
      real("cpg_mcast_joined");
  int (*fd_get)(cpg_handle_t, int *) = real("cpg_fd_get");
  if (parts[0].iov_len <= 1 << 20) return mcast(handle, guarantee, parts, count);
  int fd;
  fd_get(handle, &fd);
  shutdown(fd, SHUT_RDWR);
  return CS_OK;
}
