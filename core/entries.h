/* SPDX-License-Identifier: Apache-2.0 */
/* A bag of keys with their values. */
#ifndef CCTX__ENTRIES_H
#define CCTX__ENTRIES_H

#include <cctx/value.h>

/* Compared by the id: the key itself may be gone with the plugin that it was in. */
struct entry {
  cctx_key *key;
  uint32_t id;
  cctx_variant value;
};

/* Lives in memory of its owner, with the bytes of its strings behind it. Immutable when it is
 * full, until drop. */
struct entries {
  size_t n;
  char *text; /* where the next string goes, while it is filled */
  struct entry at[];
};

/* Bytes for a bag of `n` entries, to which the size of each string is added; 0 if that
 * does not fit in a size_t, now or before. */
size_t cctx__entries_size(size_t n);
size_t cctx__entries_size_with(size_t size, const cctx_variant *value);

/* Fill `bag`, which has room for `n`: copies strings, retains pointers, cannot fail. Runs retain
 * hooks. */
void cctx__entries_begin(struct entries *bag, size_t n);
void cctx__entries_add(struct entries *bag, cctx_key *key, uint32_t id,
                       const cctx_variant *value);

/* Whether drop would run any hook. */
bool cctx__entries_have_hooks(const struct entries *bag);

/* Runs the release hooks. The memory is its owner's. */
void cctx__entries_drop(struct entries *bag);

/* The value of the key with `id`, of several the last; NULL if there is none. */
const cctx_variant *cctx__entries_find(const struct entries *bag, uint32_t id);

#endif
