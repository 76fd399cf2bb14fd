/* SPDX-License-Identifier: Apache-2.0 */
/* Durations as Go writes them. */
#ifndef CCTX__DURATION_H
#define CCTX__DURATION_H

#include <cctx/clock.h>

/* Read all of `text` as Go's time.ParseDuration does - "1h", "1.5s", "-2h45m", "10us" - into
 * nanoseconds: 0, or CCTX_EINVAL with `out` as it was. */
int cctx__duration_parse(const char *text, size_t len, int64_t *out);

#endif
