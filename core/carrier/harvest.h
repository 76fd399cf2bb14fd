/* SPDX-License-Identifier: Apache-2.0 */
/* The harvest: the pairs of metadata that were taken from a carrier. */
#ifndef CCTX__HARVEST_H
#define CCTX__HARVEST_H

#include <cctx/carrier.h>

#include "text.h"

/* Who wins where a name comes twice: the higher one, whatever came first. What is for every hop
 * wins over what was for this one, and what says more exactly over what says less. */
enum cctx__rank {
  CCTX__RANK_UPSTREAM, /* what the caller's caller had sent */
  CCTX__RANK_TRANSIT,
  CCTX__RANK_TRANSIT_MAP,
  CCTX__RANK_TRANSIT_EXACT,
  CCTX__RANK_BAGGAGE, /* of two members the last wins; of two others of one rank the first */
  CCTX__RANK_PERSIST,
  CCTX__RANK_PERSIST_MAP,
  CCTX__RANK_PERSIST_EXACT
};

/* Names and values lie in `bytes`, each with its NUL. What they add to the parent's metadata keeps
 * a context's budget, so that deriving can only lack memory. */
struct cctx__harvest {
  const struct cctx_policy *policy;
  const cctx *parent;
  struct cctx_carrier_counts *counts; /* of this call */
  size_t pairs_left, bytes_left;      /* of the policy */
  size_t count, size;                 /* what the context would have */
  size_t n, used;
  struct cctx_metadata_pair at[CCTX_METADATA_PAIRS_MAX];
  unsigned char rank[CCTX_METADATA_PAIRS_MAX];
  uint32_t hash[CCTX_METADATA_PAIRS_MAX]; /* of the name */
  char bytes[CCTX_METADATA_BYTES_MAX + 2 * CCTX_METADATA_PAIRS_MAX];
};

/* An empty one for a child of `parent`. */
void cctx__harvest_begin(struct cctx__harvest *harvest, const struct cctx_policy *policy,
                         const cctx *parent, struct cctx_carrier_counts *counts);

/* How a value was written. */
enum cctx__encoding { CCTX__PLAIN, CCTX__PERCENT_TEXT, CCTX__PERCENT_BYTES };

/* Take a pair as the carrier calls it, or count why not. */
void cctx__harvest_take(struct cctx__harvest *harvest, enum cctx__rank rank,
                        struct cctx__text name, struct cctx__text value,
                        enum cctx__encoding encoding);

#endif
