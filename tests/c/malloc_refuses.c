/* libcpg in a process that has no memory for a message of 3,000,000 bytes. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>

void *malloc(size_t size) {
  void *(*real)(size_t) = dlsym(RTLD_NEXT, "malloc");
  return size > 3000000 && size < 3001000 ? NULL : real(size);
}
