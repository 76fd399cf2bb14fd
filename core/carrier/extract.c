/* SPDX-License-Identifier: Apache-2.0 */
/* Extract: a context from the fields that came with a request.
 *
 * Each field is read on its own, into memory of a fixed size on this stack; what is
 * malformed or over a bound is counted and left out. Only then is anything derived.
 */
#include <cctx/carrier.h>
#include <cctx/metadata.h>

#include "baggage.h"
#include "counts.h"
#include "limit.h"
#include "metainfo.h"
#include "trace.h"

/* What was read. */
struct reading {
  struct cctx_carrier_counts counts;
  struct cctx__trace trace;
  struct cctx__limit limit;
  struct cctx__harvest harvest;
};

/* An answer has neither a trace nor a deadline of its own. */
static void read_all(struct reading *reading, const cctx *parent,
                     const struct cctx_carrier *carrier, const struct cctx_policy *policy) {
  bool forward = policy->direction == CCTX_FORWARD;
  reading->counts = (struct cctx_carrier_counts){0};
  struct cctx__source source =
      cctx__source_begin(carrier, policy->names, CCTX_FIELDS_MAX, &reading->counts);
  cctx__trace_read(&source, forward ? policy->read : 0, &reading->trace);
  cctx__harvest_begin(&reading->harvest, policy, parent, &reading->counts);
  if (forward && policy->read & CCTX_FIELD_BAGGAGE)
    cctx__baggage_read(&source, &reading->harvest);
  cctx__metainfo_read(&source, &reading->harvest);
  reading->limit = (struct cctx__limit){CCTX_NEVER, NULL};
  if (forward) reading->limit = cctx__limit_read(&source, policy);
}

/* The steps of the derivation. Each gives back the context before it: its child keeps
 * what it needs. */
static int derive(cctx **out, cctx *parent, const struct reading *reading) {
  const struct cctx__harvest *harvest = &reading->harvest;
  cctx *base = cctx__trace_derive(parent, &reading->trace), *ctx = NULL;
  if (!base) return CCTX_ENOMEM;
  int rc = cctx_with_metadata(&ctx, base, harvest->at, harvest->n, NULL);
  cctx_unref(base);
  if (rc == CCTX_OK && reading->limit.deadline != CCTX_NEVER) {
    base = ctx;
    ctx = cctx_with_deadline_at(base, reading->limit.deadline, reading->limit.message,
                                "carrier", 0);
    cctx_unref(base);
    if (!ctx) rc = CCTX_ENOMEM;
  }
  if (rc == CCTX_OK) *out = ctx;
  return rc;
}

static void tell(const struct reading *reading, struct cctx_extracted *report) {
  const struct cctx_carrier_counts *counts = &reading->counts;
  report->trace = reading->trace.id;
  report->deadline = reading->limit.deadline;
  report->pairs = (unsigned)reading->harvest.n;
  report->refused = (unsigned)(counts->malformed + counts->too_big + counts->not_allowed);
}

int cctx_extract(cctx **out, cctx *parent, const struct cctx_carrier *carrier,
                 const struct cctx_policy *policy, struct cctx_extracted *report) {
  struct cctx_policy otherwise;
  struct reading reading;
  if (!policy) {
    otherwise = cctx_policy_for(CCTX_FORMAT_HTTP);
    policy = &otherwise;
  }
  read_all(&reading, parent, carrier, policy);
  int rc = derive(out, parent, &reading);
  if (rc != CCTX_OK) return rc;
  cctx__counts_add(policy->counts, &reading.counts);
  if (report) tell(&reading, report);
  return CCTX_OK;
}
