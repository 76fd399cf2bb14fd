/* SPDX-License-Identifier: Apache-2.0 */
/* The grpc-timeout: the time that a caller is still willing to wait. */
#include <cctx/carrier.h>

#include "text.h"

/* gRPC allows this many digits, so that the number fits in 32 bits. */
enum { DIGITS_MAX = 8 };

/* Nanoseconds in a unit, or 0: M is a minute, m a millisecond. */
static int64_t unit_length(char unit) {
  switch (unit) {
  case 'H': return 3600 * CCTX_SECOND;
  case 'M': return 60 * CCTX_SECOND;
  case 'S': return CCTX_SECOND;
  case 'm': return CCTX_MILLISECOND;
  case 'u': return 1000;
  case 'n': return 1;
  default: return 0;
  }
}

int cctx_grpc_timeout_parse(const char *text, size_t len, int64_t *timeout) {
  struct cctx__text field = cctx__trim(text, len);
  if (field.len < 2 || field.len > DIGITS_MAX + 1) return CCTX_EINVAL;
  int64_t unit = unit_length(field.at[field.len - 1]), count = 0;
  if (unit == 0) return CCTX_EINVAL;
  for (size_t i = 0; i + 1 < field.len; i++) {
    if (!cctx__is_digit(field.at[i])) return CCTX_EINVAL;
    count = count * 10 + (field.at[i] - '0');
  }
  *timeout = count > CCTX_NEVER / unit ? CCTX_NEVER : count * unit;
  return CCTX_OK;
}
