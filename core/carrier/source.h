/* SPDX-License-Identifier: Apache-2.0 */
/* The source: the fields of a carrier that is read, by name. */
#ifndef CCTX__SOURCE_H
#define CCTX__SOURCE_H

#include <cctx/carrier.h>

#include "names.h"

struct cctx__source {
  const struct cctx_carrier *carrier;
  enum cctx_names names;
  struct cctx_carrier_counts *counts; /* of this call */
  size_t n;                           /* fields of `at` that are looked at */
};

/* A source of what `carrier` brings, of `most` fields at most. */
struct cctx__source cctx__source_begin(const struct cctx_carrier *carrier,
                                       enum cctx_names names, size_t most,
                                       struct cctx_carrier_counts *counts);

/* The next value under `name` (in lower case), from `*cursor` on, which begins with 0. */
bool cctx__source_next(const struct cctx__source *source, const char *name, size_t *cursor,
                       struct cctx__text *value);

/* The one value under `name`: 0 if there is none; CCTX_EINVAL, and counted, for several. */
int cctx__source_only(const struct cctx__source *source, const char *name,
                      struct cctx__text *value);

/* The next field whose name begins with `spelled`, and what stands behind it; never one whose name
 * ends there. */
bool cctx__source_begins(const struct cctx__source *source, enum cctx_names names,
                         struct cctx__text spelled, size_t *cursor, struct cctx__text *rest,
                         struct cctx__text *value);

#endif
