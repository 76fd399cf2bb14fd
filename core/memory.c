/* SPDX-License-Identifier: Apache-2.0 */
/* Memory: the only file that calls malloc and free. */
#include "memory.h"

#include <stdlib.h>

#include <cctx/memory.h>

static void *alloc_plain(size_t size, void *arg) {
  (void)arg;
  return malloc(size);
}

static void free_plain(void *memory, void *arg) {
  (void)arg;
  free(memory);
}

#define PLAIN                                                                              \
  { alloc_plain, free_plain, NULL }
static struct cctx_allocator in_use = PLAIN;

void cctx_set_allocator(const struct cctx_allocator *allocator) {
  in_use = allocator ? *allocator : (struct cctx_allocator)PLAIN;
}

void *cctx__alloc(size_t size) { return in_use.alloc(size, in_use.arg); }

void cctx__free(void *memory) {
  if (memory) in_use.free(memory, in_use.arg);
}
