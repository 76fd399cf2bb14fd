/* SPDX-License-Identifier: Apache-2.0 */
/* Sending: the pairs of a context that a policy lets out. */
#ifndef CCTX__SEND_H
#define CCTX__SEND_H

#include <cctx/carrier.h>

#include "text.h"

/* One way through a context's metadata. The budget of the policy is spent anew in each. */
struct cctx__sending {
  const cctx *ctx;
  const struct cctx_policy *policy;
  struct cctx_carrier_counts *counts;
  size_t i, pairs_left, bytes_left;
};

/* A pair, under the name that the carrier is told, each with a NUL behind it. Borrowed from the
 * context and policy. */
struct cctx__pair {
  struct cctx__text name, value;
};

struct cctx__sending cctx__sending_begin(const cctx *ctx, const struct cctx_policy *policy,
                                         struct cctx_carrier_counts *counts);

/* The next pair of this scope that may be sent; what may not is counted. */
bool cctx__sending_next(struct cctx__sending *sending, enum cctx_metadata_scope scope,
                        struct cctx__pair *pair);

#endif
