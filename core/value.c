/* SPDX-License-Identifier: Apache-2.0 */
/* Values of a context. */
#include <assert.h>
#include <string.h>

#include "key.h"
#include "value.h"

static const cctx *next_values(const cctx *at) {
  return at->parent ? at->parent->values : NULL;
}

cctx *cctx_with_values(cctx *parent, const struct cctx_entry *entries, size_t n) {
  size_t size = cctx__entries_size(n);
  cctx *ctx;
  assert(cctx__is_live(parent) && "cctx_with_values: no parent, or one given back");
  for (size_t i = 0; i < n; i++) size = cctx__entries_size_with(size, &entries[i].value);
  if (size == 0) return NULL;
  ctx = cctx__node_new(parent, size);
  if (ctx == NULL) return NULL;
  ctx->bag = cctx__room(ctx);
  ctx->values = ctx;
  cctx__entries_begin(ctx->bag, n);
  for (size_t i = 0; i < n; i++) {
    cctx_key *key = entries[i].key;
    assert(key != NULL && "cctx_with_values: no key");
    cctx__entries_add(ctx->bag, key, cctx__key_id(key), &entries[i].value);
  }
  return ctx;
}

cctx *cctx_with_value(cctx *parent, cctx_key *key, cctx_variant value) {
  struct cctx_entry entry = {key, value};
  assert(key != NULL && "cctx_with_value: no key");
  return cctx_with_values(parent, &entry, 1);
}

int cctx_value(const cctx *ctx, const cctx_key *key, cctx_variant *out) {
  const cctx *at;
  uint32_t id;
  assert(cctx__is_live(ctx) && "cctx_value: no context, or one given back");
  if (key == NULL) return CCTX_ENOTFOUND;
  id = __atomic_load_n(&key->id, __ATOMIC_RELAXED); /* 0: nothing was stored under it yet */
  for (at = ctx->values; at; at = next_values(at)) {
    const cctx_variant *found = cctx__entries_find(at->bag, id);
    if (found) {
      *out = *found;
      return CCTX_OK;
    }
  }
  return CCTX_ENOTFOUND;
}

/* Whether a nearer node, or a later entry of its own, hides what `at` has. */
static bool is_hidden(const struct visible *from, const struct entry *entry) {
  for (const cctx *near = from->ctx->values; near != from->at; near = next_values(near))
    if (cctx__entries_find(near->bag, entry->id)) return true;
  return cctx__entries_find(from->at->bag, entry->id) != &entry->value;
}

struct visible cctx__visible(const cctx *ctx) {
  return (struct visible){ctx, ctx->values, ctx->values ? ctx->values->bag->n : 0};
}

const struct entry *cctx__visible_next(struct visible *from) {
  while (from->at) {
    while (from->left > 0) {
      const struct entry *entry = &from->at->bag->at[--from->left];
      if (!is_hidden(from, entry)) return entry;
    }
    from->at = next_values(from->at);
    from->left = from->at ? from->at->bag->n : 0;
  }
  return NULL;
}

int cctx_value_at(const cctx *ctx, size_t i, cctx_key **key, cctx_variant *out) {
  struct visible from = cctx__visible(ctx);
  const struct entry *entry = cctx__visible_next(&from);
  while (entry && i-- > 0) entry = cctx__visible_next(&from);
  if (entry == NULL) return CCTX_ENOTFOUND;
  *key = entry->key;
  *out = entry->value;
  return CCTX_OK;
}
