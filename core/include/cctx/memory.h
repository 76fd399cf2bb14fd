/* SPDX-License-Identifier: Apache-2.0 */
/* Memory: where the library gets it from. */
#ifndef CCTX_MEMORY_H
#define CCTX_MEMORY_H

#include <cctx/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An allocator of the host's own. Both functions may be called on any thread; `alloc`
 *  returns memory aligned for any type, or NULL. */
struct cctx_allocator {
  void *(*alloc)(size_t size, void *arg);
  void (*free)(void *memory, void *arg);
  void *arg;
};

/** Use `allocator` (copied) from here on; NULL goes back to malloc and free. Memory must
 *  go back where it came from, so call it before anything else, or with both kinds
 *  compatible, as a test that counts or fails calls of malloc is. */
CCTX_API void cctx_set_allocator(const struct cctx_allocator *allocator);

#ifdef __cplusplus
}
#endif
#endif
