/* Sends a message in three fragments, the connection breaking after the first,
 * and prints what that says.
 *
 *   fragments_broken GROUP
 */
#define _GNU_SOURCE
#include "cpg.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int fragments = -1;

/* Linked with -rdynamic this is what libcpg calls. */
ssize_t qb_ipcc_sendv_recv(void *connection, const struct iovec *parts,
                           uint32_t count, void *reply, size_t size,
                           int32_t timeout) {
  ssize_t (*real)(void *, const struct iovec *, uint32_t, void *, size_t,
                  int32_t) = dlsym(RTLD_NEXT, "qb_ipcc_sendv_recv");
  if (fragments >= 0 && fragments++ > 0) return -ENOTCONN;
  return real(connection, parts, count, reply, size, timeout);
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  cpg_handle_t handle;
  struct cpg_name group = {(uint32_t)strlen(argv[1])};
  memcpy(group.value, argv[1], group.length);
  if (cpg_initialize(&handle, NULL) != CS_OK) return 1;
  if (cpg_join(handle, &group) != CS_OK) return 1;
  static char content[3000000];
  struct iovec part = {content, sizeof content};
  fragments = 0;
  printf("%d\n", cpg_mcast_joined(handle, CPG_TYPE_AGREED, &part, 1));
  return fragments == 3 ? 0 : 1;
}
