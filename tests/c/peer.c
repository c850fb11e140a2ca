/* A member of a group written in C.
 *
 *   peer send GROUP FILE           sends the file once somebody else is there
 *   peer receive GROUP COUNT DIR   writes messages to DIR/0, DIR/1, …
 */
#include "cpg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t members;
static unsigned received;
static const char *directory;

static void check(const char *call, int result) {
  if (result == CS_OK) return;
  fprintf(stderr, "%s says %d\n", call, result);
  exit(1);
}

static void deliver(cpg_handle_t handle, const struct cpg_name *group,
                    uint32_t nodeid, uint32_t pid, void *message,
                    size_t length) {
  if (!directory) return;
  char path[4096];
  snprintf(path, sizeof path, "%s/%u", directory, received++);
  FILE *file = fopen(path, "w");
  if (!file || fwrite(message, 1, length, file) != length || fclose(file)) {
    perror(path);
    exit(1);
  }
}

static void confchg(cpg_handle_t handle, const struct cpg_name *group,
                    const struct cpg_address *list, size_t count,
                    const struct cpg_address *left, size_t left_count,
                    const struct cpg_address *joined, size_t joined_count) {
  members = count;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  int sending = strcmp(argv[1], "send") == 0;
  cpg_callbacks_t callbacks = {deliver, confchg};
  cpg_handle_t handle;
  check("cpg_initialize", cpg_initialize(&handle, &callbacks));
  struct cpg_name group = {(uint32_t)strlen(argv[2])};
  memcpy(group.value, argv[2], group.length);
  check("cpg_join", cpg_join(handle, &group));

  if (sending) {
    while (members < 2)
      check("cpg_dispatch", cpg_dispatch(handle, CS_DISPATCH_ONE));
    static char content[1 << 20];
    FILE *file = fopen(argv[3], "r");
    if (!file) return 1;
    struct iovec part = {content, fread(content, 1, sizeof content, file)};
    fclose(file);
    check("cpg_mcast_joined",
          cpg_mcast_joined(handle, CPG_TYPE_AGREED, &part, 1));
  } else {
    directory = argv[4];
    unsigned count = (unsigned)atoi(argv[3]);
    while (received < count)
      check("cpg_dispatch", cpg_dispatch(handle, CS_DISPATCH_ONE));
  }
  check("cpg_leave", cpg_leave(handle, &group));
  check("cpg_finalize", cpg_finalize(handle));
  return 0;
}
