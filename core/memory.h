/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for the core's own use. */
#ifndef CCTX__MEMORY_H
#define CCTX__MEMORY_H

#include <stddef.h>

/* NULL when there is none. Aligned for any type, not cleared. */
void *cctx__alloc(size_t size);
void cctx__free(void *memory);

#endif
