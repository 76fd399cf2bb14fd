/* SPDX-License-Identifier: Apache-2.0 */
/* A table of metadata pairs. */
#ifndef CCTX__PAIRS_H
#define CCTX__PAIRS_H

#include <cctx/metadata.h>

struct pair {
  const char *text; /* the name, then the value, each with a NUL */
  uint32_t len;     /* of the value */
  uint8_t name_len;
  uint8_t scope;
};

/* Lives in memory of its owner, with the texts that were set in it behind it. Those that it took
 * over from an older table stay where they were, unless it copied them: then that table's
 * memory has to live as long as this one's. Immutable once filled. A name stands in it once,
 * whatever its scope. */
struct pairs {
  size_t n;
  size_t bytes;        /* of names and values, without their NULs: what the budget counts */
  unsigned char *tags; /* a byte of each name's hash, in the order of `at` */
  struct pair at[];
};

/* What a table is made of: all of `old` (or NULL), whose texts it copies if `copies`, then
 * `n` pairs more, one after the other; a value that is NULL takes its name out. */
struct recipe {
  const struct pairs *old;
  bool copies;
  const struct cctx_metadata_pair *more;
  size_t n;
};

/* Check each of the pairs for itself; `*size` gets the bytes that the table needs. 0, or
 * CCTX_EINVAL or CCTX_ETOOBIG with the offender's index in `*bad`. */
int cctx__pairs_measure(const struct recipe *recipe, size_t *size, size_t *bad);

/* Make the table. CCTX_ETOOBIG, with the index of the pair that went over in `*bad`: it is over a
 * budget, and worthless. */
int cctx__pairs_fill(struct pairs *table, const struct recipe *recipe, size_t *bad);

/* The pair of `name`, or NULL. */
const struct pair *cctx__pairs_find(const struct pairs *table, const char *name);

static inline const char *cctx__pair_value(const struct pair *pair) {
  return pair->text + pair->name_len + 1;
}

#endif
