/* SPDX-License-Identifier: Apache-2.0 */
/* Deriving: the constructors of contexts that stop, or that no longer do. */
#include <assert.h>
#include <string.h>

#include "entries.h"
#include "memory.h"
#include "pairs.h"
#include "stop.h"

cctx *cctx_with_deadline_at(cctx *parent, int64_t deadline, const char *message,
                            const char *file, int line) {
  cctx *ctx;
  assert(parent != NULL && "cctx_with_deadline: no parent");
  ctx = cctx__node_new(parent, sizeof(struct stop));
  if (ctx == NULL) return NULL;
  cctx__stop_init(ctx, cctx__room(ctx), deadline, true);
  cctx__culprit_set(&ctx->stop->owner, message, file, line);
  return ctx;
}

cctx *cctx_with_cancel(cctx *parent) {
  cctx *ctx;
  assert(parent != NULL && "cctx_with_cancel: no parent");
  ctx = cctx__node_new(parent, sizeof(struct stop));
  if (ctx) cctx__stop_init(ctx, cctx__room(ctx), CCTX_NEVER, true);
  return ctx;
}

cctx *cctx_with_grace(cctx *parent, int64_t grace) {
  cctx *ctx = cctx_with_cancel(parent);
  if (ctx == NULL || grace <= 0) return ctx;
  ctx->stop->delay = grace;
  ctx->stop->watch.delayed = true;
  ctx->graced = true;
  ctx->deadline = cctx__add(parent->deadline, grace);
  ctx->due = cctx__add(parent->due, grace);
  return ctx;
}

/* Every value visible from `ctx`, once: `*n` of them, in memory to be freed (NULL for none).
 * False for lack of memory. */
static bool visible_entries(const cctx *ctx, struct entry **out, size_t *n) {
  size_t total = 0;
  struct entry *all;
  *n = 0;
  *out = NULL;
  for (const cctx *at = ctx->values; at; at = at->parent ? at->parent->values : NULL)
    total += at->bag->n;
  if (total == 0) return true;
  *out = all = cctx__alloc(total * sizeof *all);
  if (all == NULL) return false;
  for (const cctx *at = ctx->values; at; at = at->parent ? at->parent->values : NULL)
    for (size_t i = at->bag->n; i-- > 0;) {
      size_t seen = 0;
      while (seen < *n && all[seen].id != at->bag->at[i].id) seen++;
      if (seen == *n) all[(*n)++] = at->bag->at[i];
    }
  return true;
}

/* Bytes for the copies of `n` values, the metadata and, if it is kept, the deadline. */
struct detached_size {
  size_t bag, pairs, stop;
};

static bool measure_detached(const cctx *parent, const struct entry *values, size_t n,
                             unsigned flags, struct detached_size *out) {
  size_t bad;
  memset(out, 0, sizeof *out);
  if (n) {
    out->bag = cctx__entries_size(n);
    for (size_t i = 0; i < n; i++)
      out->bag = cctx__entries_size_with(out->bag, &values[i].value);
    if (out->bag == 0) return false;
  }
  if (parent->metadata) {
    const struct pairs *seen = parent->metadata->pairs;
    if (cctx__pairs_check(NULL, seen->at, seen->n, &out->pairs, &bad) != CCTX_OK)
      return false;
  }
  if ((flags & CCTX_KEEP_DEADLINE) && parent->deadline != CCTX_NEVER)
    out->stop = sizeof(struct stop);
  return true;
}

static void fill_detached(cctx *ctx, const cctx *parent, const struct entry *values,
                          size_t n, const struct detached_size *size) {
  char *room = cctx__room(ctx);
  if (size->bag) {
    ctx->bag = (struct entries *)(void *)room;
    ctx->values = ctx;
    cctx__entries_begin(ctx->bag, n);
    for (size_t i = 0; i < n; i++)
      cctx__entries_add(ctx->bag, values[i].key, values[i].id, &values[i].value);
    room += CCTX__ALIGN(size->bag);
  }
  if (size->pairs) {
    const struct pairs *seen = parent->metadata->pairs;
    ctx->pairs = (struct pairs *)(void *)room;
    ctx->metadata = ctx;
    cctx__pairs_merge(ctx->pairs, NULL, seen->at, seen->n);
    room += CCTX__ALIGN(size->pairs);
  }
  if (size->stop) {
    cctx__stop_init(ctx, (struct stop *)(void *)room, parent->deadline, false);
    if (parent->due == parent->deadline) /* else nobody's deadline ended it */
      ctx->stop->owner = cctx__deadline_owner(parent)->stop->owner;
  }
}

cctx *cctx_detached(cctx *parent, unsigned flags) {
  struct detached_size size;
  struct entry *values;
  cctx *ctx = NULL;
  size_t n;
  assert(parent != NULL && "cctx_detached: no parent");
  if (!visible_entries(parent, &values, &n)) return NULL;
  if (measure_detached(parent, values, n, flags, &size))
    ctx = cctx__node_new(NULL, CCTX__ALIGN(size.bag) + CCTX__ALIGN(size.pairs) + size.stop);
  if (ctx) fill_detached(ctx, parent, values, n, &size);
  cctx__free(values);
  return ctx;
}
