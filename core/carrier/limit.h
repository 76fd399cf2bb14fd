/* SPDX-License-Identifier: Apache-2.0 */
/* The limit: the deadline of a request, in whatever field it travels. */
#ifndef CCTX__LIMIT_H
#define CCTX__LIMIT_H

#include "sink.h"

struct cctx__limit {
  int64_t deadline;    /* CCTX_NEVER: none */
  const char *message; /* of the cause; static */
};

/* Read the earliest of what the policy's fields say, within its bounds. */
struct cctx__limit cctx__limit_read(const struct cctx__source *source,
                                    const struct cctx_policy *policy);

/* Set the policy's fields to `deadline`, or remove them: CCTX_NEVER. */
void cctx__limit_write(int64_t deadline, const struct cctx_policy *policy,
                       struct cctx__sink *sink);

#endif
