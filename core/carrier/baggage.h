/* SPDX-License-Identifier: Apache-2.0 */
/* W3C Baggage: metadata of the request. */
#ifndef CCTX__BAGGAGE_H
#define CCTX__BAGGAGE_H

#include "harvest.h"
#include "sink.h"

/* Take the members of all values of `baggage`; properties behind a value are left out. */
void cctx__baggage_read(const struct cctx__source *source, struct cctx__harvest *harvest);

/* Set `baggage` to the pairs of `ctx` that it may have, in the subset of the grammar that every
 * reader understands alike, and within what every reader must take. */
void cctx__baggage_write(const cctx *ctx, const struct cctx_policy *policy,
                         struct cctx__sink *sink);

#endif
