/* SPDX-License-Identifier: Apache-2.0 */
/* Inject: the fields that carry a context to the next process.
 *
 * Each is written to memory of a fixed size on this stack, and given to the carrier. A field
 * that the policy writes and the context has nothing for is removed, so that what another
 * request left in a carrier is not sent as this one's.
 */
#include <cctx/carrier.h>

#include "baggage.h"
#include "counts.h"
#include "limit.h"
#include "metainfo.h"
#include "trace.h"

static void write_all(const cctx *ctx, const struct cctx_policy *policy,
                      struct cctx__sink *sink) {
  const unsigned trace = CCTX_FIELD_TRACE | CCTX_FIELD_B3 | CCTX_FIELD_B3_MULTI;
  if (policy->direction == CCTX_FORWARD) {
    if (policy->write & trace) cctx__trace_write(ctx, policy->write, sink);
    if (policy->write & CCTX_FIELD_BAGGAGE) cctx__baggage_write(ctx, policy, sink);
    cctx__limit_write(cctx_deadline(ctx), policy, sink);
  }
  cctx__metainfo_write(ctx, policy, sink);
}

int cctx_inject(const cctx *ctx, const struct cctx_carrier *carrier,
                const struct cctx_policy *policy) {
  struct cctx_carrier_counts counts = {0};
  struct cctx_policy otherwise;
  int err = cctx_err(ctx);
  if (!policy) {
    otherwise = cctx_policy_for(CCTX_FORMAT_HTTP);
    policy = &otherwise;
  }
  if (err != CCTX_OK && policy->direction == CCTX_FORWARD) return err;
  struct cctx__sink sink = {cctx__source_begin(carrier, policy->names, SIZE_MAX, &counts),
                            CCTX_OK};
  write_all(ctx, policy, &sink);
  cctx__counts_add(policy->counts, &counts);
  return sink.status;
}
