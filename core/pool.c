/* SPDX-License-Identifier: Apache-2.0 */
/* A pool: chunks of items that are never given back to the system. */
#include "pool.h"

#include <stdbool.h>

#include "lock.h"
#include "memory.h"

#define CHUNK 64

/* The list of chunks is what keeps them from being taken for leaks. */
struct pool_chunk {
  struct pool_chunk *next;
  max_align_t items[];
};

static bool grow(struct pool *pool) {
  struct pool_chunk *chunk = cctx__alloc(sizeof *chunk + CHUNK * pool->size);
  char *at;
  if (chunk == NULL) return false;
  at = (char *)chunk->items;
  cctx__lock();
  chunk->next = pool->chunks;
  pool->chunks = chunk;
  for (int i = 0; i < CHUNK; i++, at += pool->size) {
    struct pool_item *item = (struct pool_item *)(void *)at;
    item->generation = 1;
    cctx__pool_give(pool, item);
  }
  cctx__unlock();
  return true;
}

static struct pool_item *take(struct pool *pool) {
  struct pool_item *item;
  cctx__lock();
  item = pool->free;
  if (item) pool->free = item->next;
  cctx__unlock();
  return item;
}

struct pool_item *cctx__pool_take(struct pool *pool) {
  struct pool_item *item;
  while ((item = take(pool)) == NULL)
    if (!grow(pool)) return NULL;
  return item;
}

void cctx__pool_give(struct pool *pool, struct pool_item *item) {
  item->next = pool->free;
  pool->free = item;
}
