/* Prints libcpg's constants, the sizes of its structs, and the bytes of one of
 * each with values in it; -DINSTALLED: as the installed header has them. */
#ifdef INSTALLED
#include <corosync/corodefs.h>
#include <corosync/corotypes.h>
#include <corosync/cpg.h>
#include <sys/uio.h>
#else
#include "cpg.h"
#endif

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define CONSTANT(name) printf("%s %d\n", #name, (int)(name));
#define SIZE(name, type) printf("SIZEOF_%s %zu\n", #name, sizeof(type));

static void dump(const char *name, const void *value, size_t size) {
  printf("%s ", name);
  for (size_t i = 0; i < size; i++)
    printf("%02x", ((const unsigned char *)value)[i]);
  puts("");
}

static void constants(void) {
  CONSTANT(CS_OK)
  CONSTANT(CS_ERR_LIBRARY)
  CONSTANT(CS_ERR_VERSION)
  CONSTANT(CS_ERR_INIT)
  CONSTANT(CS_ERR_TIMEOUT)
  CONSTANT(CS_ERR_TRY_AGAIN)
  CONSTANT(CS_ERR_INVALID_PARAM)
  CONSTANT(CS_ERR_NO_MEMORY)
  CONSTANT(CS_ERR_BAD_HANDLE)
  CONSTANT(CS_ERR_BUSY)
  CONSTANT(CS_ERR_ACCESS)
  CONSTANT(CS_ERR_NOT_EXIST)
  CONSTANT(CS_ERR_NAME_TOO_LONG)
  CONSTANT(CS_ERR_EXIST)
  CONSTANT(CS_ERR_NO_SPACE)
  CONSTANT(CS_ERR_INTERRUPT)
  CONSTANT(CS_ERR_NAME_NOT_FOUND)
  CONSTANT(CS_ERR_NO_RESOURCES)
  CONSTANT(CS_ERR_NOT_SUPPORTED)
  CONSTANT(CS_ERR_BAD_OPERATION)
  CONSTANT(CS_ERR_FAILED_OPERATION)
  CONSTANT(CS_ERR_MESSAGE_ERROR)
  CONSTANT(CS_ERR_QUEUE_FULL)
  CONSTANT(CS_ERR_QUEUE_NOT_AVAILABLE)
  CONSTANT(CS_ERR_BAD_FLAGS)
  CONSTANT(CS_ERR_TOO_BIG)
  CONSTANT(CS_ERR_NO_SECTIONS)
  CONSTANT(CS_ERR_CONTEXT_NOT_FOUND)
  CONSTANT(CS_ERR_TOO_MANY_GROUPS)
  CONSTANT(CS_ERR_SECURITY)
  CONSTANT(CS_DISPATCH_ONE)
  CONSTANT(CS_DISPATCH_ALL)
  CONSTANT(CS_DISPATCH_BLOCKING)
  CONSTANT(CS_DISPATCH_ONE_NONBLOCKING)
  CONSTANT(CPG_TYPE_UNORDERED)
  CONSTANT(CPG_TYPE_FIFO)
  CONSTANT(CPG_TYPE_AGREED)
  CONSTANT(CPG_TYPE_SAFE)
  CONSTANT(CPG_FLOW_CONTROL_DISABLED)
  CONSTANT(CPG_FLOW_CONTROL_ENABLED)
  CONSTANT(CPG_REASON_UNDEFINED)
  CONSTANT(CPG_REASON_JOIN)
  CONSTANT(CPG_REASON_LEAVE)
  CONSTANT(CPG_REASON_NODEDOWN)
  CONSTANT(CPG_REASON_NODEUP)
  CONSTANT(CPG_REASON_PROCDOWN)
  CONSTANT(CPG_ITERATION_NAME_ONLY)
  CONSTANT(CPG_ITERATION_ONE_GROUP)
  CONSTANT(CPG_ITERATION_ALL)
  CONSTANT(CPG_MODEL_V1)
  CONSTANT(CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF)
  CONSTANT(CPG_MAX_NAME_LENGTH)
  CONSTANT(CPG_MEMBERS_MAX)
  CONSTANT(PROCESSOR_COUNT_MAX)
}

int main(void) {
  constants();
  SIZE(CPG_NAME, struct cpg_name)
  SIZE(CPG_ADDRESS, struct cpg_address)
  SIZE(CPG_RING_ID, struct cpg_ring_id)
  SIZE(CPG_ITERATION_DESCRIPTION, struct cpg_iteration_description_t)
  SIZE(CPG_CALLBACKS, cpg_callbacks_t)
  SIZE(CPG_MODEL_V1_DATA, cpg_model_v1_data_t)
  SIZE(IOVEC, struct iovec)
  SIZE(POLLFD, struct pollfd)

  struct cpg_name name = {5, "group"};
  dump("name", &name, sizeof name);
  struct cpg_address addresses[] = {{0xfffffff1, 2, 3}, {4, 5, 6}};
  dump("addresses", addresses, sizeof addresses);
  struct cpg_iteration_description_t description = {name, 0xfffffff1, 2};
  dump("description", &description, sizeof description);
  cpg_callbacks_t callbacks = {(cpg_deliver_fn_t)0xfffffffffffffff1,
                               (cpg_confchg_fn_t)2};
  dump("callbacks", &callbacks, sizeof callbacks);
  cpg_model_v1_data_t data;
  memset(&data, 0, sizeof data);
  data.model = CPG_MODEL_V1;
  data.cpg_deliver_fn = (cpg_deliver_fn_t)0xfffffffffffffff1;
  data.cpg_confchg_fn = (cpg_confchg_fn_t)2;
  data.cpg_totem_confchg_fn = (cpg_totem_confchg_fn_t)3;
  data.flags = CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF;
  dump("data", &data, sizeof data);
  struct iovec part = {(void *)0xfffffffffffffff1, 2};
  dump("part", &part, sizeof part);
  return 0;
}
