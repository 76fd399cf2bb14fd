/* SPDX-License-Identifier: Apache-2.0 */
/* A bag of keys with their values. */
#ifndef CCTX__ENTRIES_H
#define CCTX__ENTRIES_H

#include <cctx/value.h>

/* Lives in memory of its owner, with the bytes of its strings behind it. Immutable from
 * init to drop. */
struct entries {
  size_t n;
  struct cctx_entry at[];
};

/* Bytes that a bag of these needs; 0 if that does not fit in a size_t. */
size_t cctx__entries_size(const struct cctx_entry *from, size_t n);

/* Fill `bag`: copies strings, retains pointers, cannot fail. Runs retain hooks. */
void cctx__entries_init(struct entries *bag, const struct cctx_entry *from, size_t n);

/* Runs the release hooks. The memory is its owner's. */
void cctx__entries_drop(struct entries *bag);

/* The value of `key`, of several the last; NULL if there is none. */
const cctx_variant *cctx__entries_find(const struct entries *bag, const cctx_key *key);

#endif
