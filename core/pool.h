/* SPDX-License-Identifier: Apache-2.0 */
/* A pool of type-stable memory. */
#ifndef CCTX__POOL_H
#define CCTX__POOL_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* First member of what a pool holds. Memory of a pool is an item of it for ever, so who kept
 * a pointer with the generation it had then may look at the generation, and knows whether it is
 * still the same use of the item: under the lock it stays so. */
struct pool_item {
  _Atomic uint64_t generation; /* raised when a use ends; never 0 */
  struct pool_item *next;
};

/* Static memory; `size` of an item is set, the rest is zero. */
struct pool {
  size_t size;
  struct pool_item *free; /* guarded by the lock, as the next */
  struct pool_chunk *chunks;
};

/* An item, its own part not cleared; NULL for lack of memory. Takes the lock. */
struct pool_item *cctx__pool_take(struct pool *pool);

/* Give an item back, whose use has ended. Under the lock. */
void cctx__pool_give(struct pool *pool, struct pool_item *item);

#endif
