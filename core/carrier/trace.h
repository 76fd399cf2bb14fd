/* SPDX-License-Identifier: Apache-2.0 */
/* The trace of a context: its ids, its flags, its state, whatever headers carry them. */
#ifndef CCTX__TRACE_H
#define CCTX__TRACE_H

#include "sink.h"
#include "tracestate.h"

struct cctx__trace {
  struct cctx_trace id;
  bool has_ids, has_flags; /* B3 may say the flags alone */
  struct cctx__tracestate state;
};

/* Read the first valid one of traceparent, b3, x-b3-* that `fields` has. */
void cctx__trace_read(const struct cctx__source *source, unsigned fields,
                      struct cctx__trace *out);

/* A child of `parent` with the values of `trace`, or a reference to `parent` if it says nothing;
 * NULL for lack of memory. */
cctx *cctx__trace_derive(cctx *parent, const struct cctx__trace *trace);

/* Set the headers that `fields` has to what the values of `ctx` say. */
void cctx__trace_write(const cctx *ctx, unsigned fields, struct cctx__sink *sink);

#endif
