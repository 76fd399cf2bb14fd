/* SPDX-License-Identifier: Apache-2.0 */
/* Relative times as decimals of a unit. */
#ifndef CCTX__TIMEOUT_H
#define CCTX__TIMEOUT_H

#include <cctx/carrier_policy.h>

#include "text.h"

/* Room for the longest one, with a NUL. */
enum { CCTX__DECIMAL_ROOM = 32 };

/* Read 1 to 10 digits, and up to 9 more behind a point if there is one, of `unit` ns. */
int cctx__decimal_parse(struct cctx__text text, int64_t unit, int64_t *timeout);

/* Write `timeout`, which is positive and not CCTX_NEVER, rounded up to `decimals` digits behind
 * the point; at most what 10 digits before it hold. Returns its length. */
size_t cctx__decimal_format(int64_t timeout, int64_t unit, unsigned decimals,
                            char out[CCTX__DECIMAL_ROOM]);

#endif
