/* Many members of a group:  crowd GROUP COUNT
 *
 * Each is a process of its own. They say "joined" when all of them have, and
 * end when the standard input does. */
#include "cpg.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void member(const char *name, int ready) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  cpg_handle_t handle;
  cpg_callbacks_t callbacks = {0};
  struct cpg_name group = {(uint32_t)strlen(name)};
  memcpy(group.value, name, group.length);
  if (cpg_initialize(&handle, &callbacks) != CS_OK) exit(1);
  if (cpg_join(handle, &group) != CS_OK) exit(1);
  if (write(ready, "x", 1) != 1) exit(1);
  /* Without callbacks, dispatching only empties the queue. */
  cpg_dispatch(handle, 3);
  exit(0);
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  int count = atoi(argv[2]), ready[2];
  if (pipe(ready) != 0) return 1;
  for (int i = 0; i < count; i++) {
    pid_t child = fork();
    if (child < 0) return 1;
    if (child == 0) member(argv[1], ready[1]);
    char byte;
    if (read(ready[0], &byte, 1) != 1) return 1;
  }
  puts("joined");
  fflush(stdout);
  while (getchar() != EOF)
    ;
  return 0;
}
