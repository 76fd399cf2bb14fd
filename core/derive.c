/* SPDX-License-Identifier: Apache-2.0 */
/* Deriving: the constructors of contexts that stop, or that no longer do. */
#include <assert.h>
#include <string.h>

#include "pairs.h"
#include "stop.h"
#include "value.h"

cctx *cctx_with_deadline_at(cctx *parent, int64_t deadline, const char *message,
                            const char *file, int line) {
  cctx *ctx;
  assert(cctx__is_live(parent) && "cctx_with_deadline: no parent, or one given back");
  ctx = cctx__node_new(parent, sizeof(struct stop));
  if (ctx == NULL) return NULL;
  cctx__stop_init(ctx, cctx__room(ctx), deadline, true);
  cctx__culprit_set(&ctx->stop->owner, message, file, line);
  return ctx;
}

cctx *cctx_with_cancel(cctx *parent) {
  cctx *ctx;
  assert(cctx__is_live(parent) && "cctx_with_cancel: no parent, or one given back");
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

/* Bytes for the copies of the values, the metadata and, if it is kept, the deadline. */
struct detached_size {
  size_t n, bag, pairs, stop;
};

static bool measure_detached(const cctx *parent, unsigned flags,
                             struct detached_size *out) {
  struct visible from = cctx__visible(parent);
  const struct entry *entry;
  size_t bad;
  memset(out, 0, sizeof *out);
  while (cctx__visible_next(&from)) out->n++;
  if (out->n) {
    out->bag = cctx__entries_size(out->n);
    for (from = cctx__visible(parent); (entry = cctx__visible_next(&from)) != NULL;)
      out->bag = cctx__entries_size_with(out->bag, &entry->value);
    if (out->bag == 0) return false;
  }
  if (parent->metadata) {
    struct recipe recipe = {.old = parent->metadata->pairs, .copies = true};
    if (cctx__pairs_measure(&recipe, &out->pairs, &bad) != CCTX_OK) return false;
  }
  if ((flags & CCTX_KEEP_DEADLINE) && parent->deadline != CCTX_NEVER)
    out->stop = sizeof(struct stop);
  return true;
}

static void fill_detached(cctx *ctx, const cctx *parent, const struct detached_size *size) {
  char *room = cctx__room(ctx);
  if (size->bag) {
    struct visible from = cctx__visible(parent);
    const struct entry *entry;
    ctx->bag = (struct entries *)(void *)room;
    ctx->values = ctx;
    cctx__entries_begin(ctx->bag, size->n);
    while ((entry = cctx__visible_next(&from)) != NULL)
      cctx__entries_add(ctx->bag, entry->key, entry->id, &entry->value);
    room += CCTX__ALIGN(size->bag);
  }
  if (size->pairs) {
    struct recipe recipe = {.old = parent->metadata->pairs, .copies = true};
    size_t bad;
    ctx->pairs = (struct pairs *)(void *)room;
    ctx->metadata = ctx;
    cctx__pairs_fill(ctx->pairs, &recipe, &bad); /* what it was made of keeps the budget */
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
  cctx *ctx;
  assert(cctx__is_live(parent) && "cctx_detached: no parent, or one given back");
  if (!measure_detached(parent, flags, &size)) return NULL;
  ctx = cctx__node_new(NULL, CCTX__ALIGN(size.bag) + CCTX__ALIGN(size.pairs) + size.stop);
  if (ctx) fill_detached(ctx, parent, &size);
  return ctx;
}
