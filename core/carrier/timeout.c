/* SPDX-License-Identifier: Apache-2.0 */
/* Relative times: how long a caller is still willing to wait. */
#include "timeout.h"

#include <inttypes.h>
#include <stdio.h>

/* gRPC allows this many digits, so that the number fits in 32 bits. */
enum { DIGITS_MAX = 8, COUNT_MAX = 99999999 };

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
  int64_t count, unit;
  if (!cctx__take_number(&field, DIGITS_MAX, &count) || field.len != 1) return CCTX_EINVAL;
  unit = unit_length(field.at[0]);
  if (unit == 0) return CCTX_EINVAL;
  *timeout = count > CCTX_NEVER / unit ? CCTX_NEVER : count * unit;
  return CCTX_OK;
}

static int64_t divide_up(int64_t a, int64_t b) { return a / b + (a % b != 0); }

int cctx_grpc_timeout_format(int64_t timeout, char out[CCTX_GRPC_TIMEOUT_LEN + 1]) {
  static const char units[] = "numSMH"; /* the last holds all that an int64_t does */
  if (timeout <= 0 || timeout == CCTX_NEVER) return CCTX_EINVAL;
  const char *unit = units;
  while (divide_up(timeout, unit_length(*unit)) > COUNT_MAX) unit++;
  unsigned count = (unsigned)divide_up(timeout, unit_length(*unit)) % (COUNT_MAX + 1u);
  snprintf(out, CCTX_GRPC_TIMEOUT_LEN + 1, "%u%c", count, *unit);
  return CCTX_OK;
}

/* ---- Decimals ---- */

enum { WHOLE_MAX = 10, FRACTION_MAX = 9 };
static const int64_t whole_limit = 9999999999;

static int64_t power_of_ten(size_t n) {
  int64_t power = 1;
  while (n-- > 0) power *= 10;
  return power;
}

/* unit * part / power, rounded down, where part < power: exact, and no step overflows. */
static int64_t part_of(int64_t unit, int64_t part, int64_t power) {
  return unit / power * part + unit % power * part / power;
}

int cctx__decimal_parse(struct cctx__text text, int64_t unit, int64_t *timeout) {
  int64_t count, part = 0;
  if (!cctx__take_number(&text, WHOLE_MAX, &count)) return CCTX_EINVAL;
  if (text.len > 0) {
    size_t digits = text.len - 1;
    if (*text.at++ != '.') return CCTX_EINVAL;
    text.len = digits;
    if (!cctx__take_number(&text, FRACTION_MAX, &part) || text.len > 0) return CCTX_EINVAL;
    part = part_of(unit, part, power_of_ten(digits));
  }
  *timeout = count > (CCTX_NEVER - part) / unit ? CCTX_NEVER : count * unit + part;
  return CCTX_OK;
}

size_t cctx__decimal_format(int64_t timeout, int64_t unit, unsigned decimals,
                            char out[CCTX__DECIMAL_ROOM]) {
  if (decimals > FRACTION_MAX) decimals = FRACTION_MAX;
  while (decimals > 0 && unit % power_of_ten(decimals) != 0) decimals--;
  int64_t scale = power_of_ten(decimals);
  int64_t count = divide_up(timeout, unit / scale), whole = count / scale;
  int n = snprintf(out, CCTX__DECIMAL_ROOM, "%" PRId64,
                   whole > whole_limit ? whole_limit : whole);
  if (decimals > 0)
    n += snprintf(out + n, CCTX__DECIMAL_ROOM - (size_t)n, ".%0*" PRId64, (int)decimals,
                  count % scale);
  return (size_t)n;
}
