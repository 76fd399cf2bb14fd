/* SPDX-License-Identifier: Apache-2.0 */
/* Deriving a context with a table of metadata. */
#ifndef CCTX__METADATA_H
#define CCTX__METADATA_H

#include "context.h"
#include "pairs.h"

/* The table that is seen from `ctx`, or NULL. */
static inline const struct pairs *cctx__metadata_seen(const cctx *ctx) {
  return ctx->metadata ? ctx->metadata->pairs : NULL;
}

/* Derive in `*out` a child of `parent` whose table is made by `recipe`; one that does not copy takes
 * over what is seen from the parent. `caller` is code that strict mode may name. On an error
 * `*out` is as it was: CCTX_ENOMEM, or what the pairs answer. */
int cctx__metadata_derive(const void *caller, cctx **out, cctx *parent,
                          const struct recipe *recipe, size_t *bad);

#endif
