/* SPDX-License-Identifier: Apache-2.0 */
/* What every fuzz target needs: its entry point, a check, an input of exact size. */
#ifndef TARGET_H
#define TARGET_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOLDS(cond)                                                                        \
  do {                                                                                     \
    if (!(cond)) {                                                                         \
      fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #cond);            \
      abort();                                                                             \
    }                                                                                      \
  } while (0)

/* The input on the heap with no NUL after it, so that reading one byte too far is
 * seen. Free it with free(). */
static inline char *copy_input(const uint8_t *data, size_t size) {
  char *copy = malloc(size > 0 ? size : 1);
  HOLDS(copy != NULL);
  if (size > 0) memcpy(copy, data, size);
  return copy;
}

#endif
