/* Prints what connecting says. */
#include "cpg.h"

#include <stdio.h>

int main(void) {
  cpg_handle_t handle;
  printf("%d\n", cpg_initialize(&handle, NULL));
  printf("%d\n", cpg_model_initialize(&handle, CPG_MODEL_V1, NULL, NULL));
  return 0;
}
