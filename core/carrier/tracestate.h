/* SPDX-License-Identifier: Apache-2.0 */
/* The tracestate of W3C Trace Context: what vendors add to a trace. */
#ifndef CCTX__TRACESTATE_H
#define CCTX__TRACESTATE_H

#include "source.h"

struct cctx__tracestate {
  size_t len; /* 0: there is none */
  char text[CCTX_TRACESTATE_BYTES_MAX + 1];
};

/* Read the lists of all values of `tracestate` into one, without blanks and empty members. One bad
 * member, or one too many, costs all, and is counted. Over the bound whole members are left out:
 * first those over 128 characters, from the right, then others. */
void cctx__tracestate_read(const struct cctx__source *source, struct cctx__tracestate *out);

/* The same of one list. */
void cctx__tracestate_parse(struct cctx__text list, struct cctx_carrier_counts *counts,
                            struct cctx__tracestate *out);

#endif
