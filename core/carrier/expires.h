/* SPDX-License-Identifier: Apache-2.0 */
/* The deadline of a message that waits in a queue, in wall-clock time. */
#ifndef CCTX__EXPIRES_H
#define CCTX__EXPIRES_H

#include <cctx/carrier_policy.h>

#include "text.h"

/* Room for the longest one, with a NUL. */
enum { CCTX__EXPIRES_ROOM = 64 };

/* Read "<ms since 1970>;sent=<ms since 1970>" into a deadline of cctx_now(). `*skewed` says whether
 * the sender's clock was ahead by more than the policy allows: what was left when the
 * message was sent counts from now then. */
int cctx__expires_parse(struct cctx__text text, const struct cctx_policy *policy,
                        int64_t *deadline, bool *skewed);

/* Write `deadline`, not CCTX_NEVER, in that form, rounded up. Returns its length. */
size_t cctx__expires_format(int64_t deadline, const struct cctx_policy *policy,
                            char out[CCTX__EXPIRES_ROOM]);

#endif
