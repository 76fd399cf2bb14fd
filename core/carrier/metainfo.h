/* SPDX-License-Identifier: Apache-2.0 */
/* Metainfo: metadata under a prefix for each scope, as CloudWeGo sends it. */
#ifndef CCTX__METAINFO_H
#define CCTX__METAINFO_H

#include "harvest.h"
#include "sink.h"

/* Take what the policy's fields of metainfo bring, for its direction. What was for this hop goes
 * straight to scope upstream: there is no step that could be forgotten. */
void cctx__metainfo_read(const struct cctx__source *source, struct cctx__harvest *harvest);

/* Set the pairs of `ctx`, and remove others under the same prefixes. */
void cctx__metainfo_write(const cctx *ctx, const struct cctx_policy *policy,
                          struct cctx__sink *sink);

#endif
