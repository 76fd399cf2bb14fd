/* SPDX-License-Identifier: Apache-2.0 */
/* B3, the propagation of Zipkin: one header, or several. */
#ifndef CCTX__B3_H
#define CCTX__B3_H

#include <cctx/carrier_codec.h>

#include "sink.h"

/* Read into `*out` the header `b3`, or the headers x-b3-*: 1; 0 if there is none; CCTX_EINVAL, and
 * counted. The ids of `*out` are zero if only the sampling was decided. */
int cctx__b3_read(const struct cctx__source *source, struct cctx_trace *out);
int cctx__b3_read_multi(const struct cctx__source *source, struct cctx_trace *out);

/* Set them to `trace`, whose ids may be zero, or remove them: NULL. */
void cctx__b3_write(const struct cctx_trace *trace, struct cctx__sink *sink);
void cctx__b3_write_multi(const struct cctx_trace *trace, struct cctx__sink *sink);

#endif
