/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata of a context. */
#include <assert.h>

#include "metadata.h"

const char *cctx_metadata_scope_word(int scope) {
  switch (scope) {
  case CCTX_HOP: return "hop";
  case CCTX_REQUEST: return "request";
  case CCTX_UPSTREAM: return "upstream";
  default: return NULL;
  }
}

int cctx__metadata_derive(const void *caller, cctx **out, cctx *parent,
                          const struct recipe *recipe, size_t *bad) {
  size_t size = 0, offender = 0;
  int status = cctx__pairs_measure(recipe, &size, &offender);
  cctx *ctx = status == CCTX_OK ? cctx__node_new_for(caller, parent, size) : NULL;
  if (status == CCTX_OK)
    status = ctx ? cctx__pairs_fill(cctx__room(ctx), recipe, &offender) : CCTX_ENOMEM;
  if (status != CCTX_OK) {
    if (bad && status != CCTX_ENOMEM) *bad = offender;
    cctx_unref(ctx);
    return status;
  }
  ctx->pairs = cctx__room(ctx);
  ctx->metadata = ctx;
  *out = ctx;
  return CCTX_OK;
}

int cctx_with_metadata(cctx **out, cctx *parent, const struct cctx_metadata_pair *pairs,
                       size_t n, size_t *bad) {
  struct recipe recipe = {.more = pairs, .n = n};
  assert(cctx__is_live(parent) && "cctx_with_metadata: no parent, or one given back");
  recipe.old = cctx__metadata_seen(parent);
  return cctx__metadata_derive(__builtin_return_address(0), out, parent, &recipe, bad);
}

static const struct pair *find(const cctx *ctx, const char *name) {
  return ctx->metadata ? cctx__pairs_find(ctx->metadata->pairs, name) : NULL;
}

/* A name stands in the table once, so the order of look-up (hop, request, upstream) needs no
 * search of its own: setting it in one scope took it out of the others. */
const char *cctx_metadata(const cctx *ctx, const char *name, size_t *len) {
  const struct pair *pair;
  assert(cctx__is_live(ctx) && "cctx_metadata: no context, or one given back");
  pair = find(ctx, name);
  if (pair == NULL) return NULL;
  if (len) *len = pair->len;
  return cctx__pair_value(pair);
}

int cctx_metadata_scope(const cctx *ctx, const char *name) {
  const struct pair *pair;
  assert(cctx__is_live(ctx) && "cctx_metadata_scope: no context, or one given back");
  pair = find(ctx, name);
  return pair ? pair->scope : CCTX_ENOTFOUND;
}

size_t cctx_metadata_count(const cctx *ctx) {
  assert(cctx__is_live(ctx) && "cctx_metadata_count: no context, or one given back");
  return ctx->metadata ? ctx->metadata->pairs->n : 0;
}

int cctx_metadata_at(const cctx *ctx, size_t i, struct cctx_metadata_pair *out) {
  const struct pair *pair;
  if (i >= cctx_metadata_count(ctx)) return CCTX_ENOTFOUND;
  pair = &ctx->metadata->pairs->at[i];
  *out = (struct cctx_metadata_pair){(enum cctx_metadata_scope)pair->scope, pair->text,
                                     cctx__pair_value(pair), pair->len};
  return CCTX_OK;
}
