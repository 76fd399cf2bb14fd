/* SPDX-License-Identifier: Apache-2.0 */
/* The sink: the fields of a carrier that is written, by name. */
#ifndef CCTX__SINK_H
#define CCTX__SINK_H

#include "source.h"

/* After the first failure of the carrier nothing more is written. */
struct cctx__sink {
  struct cctx__source source; /* what stands there already */
  int status;
};

/* Let the carrier have this one value under `name` (in lower case), in whatever case the name
 * stood there; NULL removes. The value has a NUL behind it. */
void cctx__sink_set(struct cctx__sink *sink, const char *name, const char *value,
                    size_t len);

/* The same for a name that is spelled already, and whose like was cleared. */
static inline void cctx__sink_put(struct cctx__sink *sink, const char *spelled,
                                  const char *value, size_t len) {
  const struct cctx_carrier *carrier = sink->source.carrier;
  if (sink->status == CCTX_OK)
    sink->status = carrier->set(carrier->arg, spelled, value, len);
}

/* Remove whatever begins with `spelled`, whose name with its NUL fits in `size` bytes: `room`. */
void cctx__sink_clear(struct cctx__sink *sink, enum cctx_names names,
                      struct cctx__text spelled, char *room, size_t size);

#endif
