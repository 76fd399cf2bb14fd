/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata of a context. */
#include <assert.h>

#include "context.h"
#include "pairs.h"

const char *cctx_metadata_scope_word(int scope) {
  switch (scope) {
  case CCTX_HOP: return "hop";
  case CCTX_REQUEST: return "request";
  case CCTX_UPSTREAM: return "upstream";
  default: return NULL;
  }
}

static const struct pairs *visible_pairs(const cctx *ctx) {
  return ctx->metadata ? ctx->metadata->pairs : NULL;
}

int cctx_with_metadata(cctx **out, cctx *parent, const struct cctx_metadata_pair *pairs,
                       size_t n, size_t *bad) {
  size_t size = 0, offender = 0;
  const struct pairs *old;
  cctx *ctx;
  int status;
  assert(cctx__is_live(parent) && "cctx_with_metadata: no parent, or one given back");
  old = visible_pairs(parent);
  status = cctx__pairs_check(old, pairs, n, &size, &offender);
  if (status != CCTX_OK) {
    if (bad) *bad = offender;
    return status;
  }
  ctx = cctx__node_new(parent, size);
  if (ctx == NULL) return CCTX_ENOMEM;
  ctx->pairs = cctx__room(ctx);
  ctx->metadata = ctx;
  cctx__pairs_merge(ctx->pairs, old, pairs, n);
  *out = ctx;
  return CCTX_OK;
}

/* A name stands in the table once, so the order of look-up (hop, request, upstream) needs no
 * search of its own: setting it in one scope took it out of the others. */
const char *cctx_metadata(const cctx *ctx, const char *name, size_t *len) {
  const struct cctx_metadata_pair *pair;
  assert(cctx__is_live(ctx) && "cctx_metadata: no context, or one given back");
  pair = ctx->metadata ? cctx__pairs_find(visible_pairs(ctx), name) : NULL;
  if (pair == NULL) return NULL;
  if (len) *len = pair->len;
  return pair->value;
}

size_t cctx_metadata_count(const cctx *ctx) {
  assert(cctx__is_live(ctx) && "cctx_metadata_count: no context, or one given back");
  return ctx->metadata ? visible_pairs(ctx)->n : 0;
}

int cctx_metadata_at(const cctx *ctx, size_t i, struct cctx_metadata_pair *out) {
  if (i >= cctx_metadata_count(ctx)) return CCTX_ENOTFOUND;
  *out = visible_pairs(ctx)->at[i];
  return CCTX_OK;
}
