/* SPDX-License-Identifier: Apache-2.0 */
/* Values of a context. */
#include <assert.h>
#include <string.h>

#include "context.h"
#include "entries.h"
#include "key.h"

cctx *cctx_with_values(cctx *parent, const struct cctx_entry *entries, size_t n) {
  size_t size = cctx__entries_size(n);
  cctx *ctx;
  assert(parent != NULL && "cctx_with_values: no parent");
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
  assert(ctx != NULL && "cctx_value: no context");
  if (key == NULL) return CCTX_ENOTFOUND;
  id = __atomic_load_n(&key->id, __ATOMIC_RELAXED); /* 0: nothing was stored under it yet */
  for (at = ctx->values; at; at = at->parent ? at->parent->values : NULL) {
    const cctx_variant *found = cctx__entries_find(at->bag, id);
    if (found) {
      *out = *found;
      return CCTX_OK;
    }
  }
  return CCTX_ENOTFOUND;
}
