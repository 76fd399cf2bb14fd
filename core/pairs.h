/* SPDX-License-Identifier: Apache-2.0 */
/* A table of metadata pairs. */
#ifndef CCTX__PAIRS_H
#define CCTX__PAIRS_H

#include <cctx/metadata.h>

/* Lives in memory of its owner, strings behind it. Immutable once filled. A name stands in
 * it once, whatever its scope. */
struct pairs {
  size_t n;
  size_t bytes; /* of names and values, without their NULs: what the budget counts */
  struct cctx_metadata_pair at[];
};

/* Check that `old` (or NULL) with `n` pairs more keeps the rules; `*size` gets the bytes
 * that cctx__pairs_merge needs for it. 0, or CCTX_EINVAL or CCTX_ETOOBIG with the offender's
 * index in `*bad`. */
int cctx__pairs_check(const struct pairs *old, const struct cctx_metadata_pair *more,
                      size_t n, size_t *size, size_t *bad);

/* Fill `table` with `old` (or NULL) and `n` pairs more, which were checked. */
void cctx__pairs_merge(struct pairs *table, const struct pairs *old,
                       const struct cctx_metadata_pair *more, size_t n);

/* The pair of `name`, or NULL. */
const struct cctx_metadata_pair *cctx__pairs_find(const struct pairs *table,
                                                  const char *name);

#endif
