/* Many members of a group in one process, which libcpg takes for as many.
 *
 *   crowd GROUP COUNT   prints a line when all have joined; ends with its input
 */
#include "cpg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int pid = 1000000;

/* Linked with -rdynamic this is what libcpg calls. */
int getpid(void) { return pid; }

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  struct cpg_name group = {(uint32_t)strlen(argv[1])};
  memcpy(group.value, argv[1], group.length);
  int count = atoi(argv[2]);
  cpg_handle_t *handles = calloc((size_t)count, sizeof *handles);
  if (!handles) return 1;
  for (int i = 0; i < count; i++, pid++) {
    int result = cpg_initialize(&handles[i], NULL);
    if (result == CS_OK) result = cpg_join(handles[i], &group);
    if (result != CS_OK) {
      fprintf(stderr, "member %d: %d\n", i, result);
      return 1;
    }
  }
  puts("joined");
  fflush(stdout);
  getchar();
  for (int i = 0; i < count; i++) cpg_finalize(handles[i]);
  return 0;
}
