/* SPDX-License-Identifier: Apache-2.0 */
/* Durations: a sign, then numbers with a fraction and a unit, or "0".
 *
 * To the nanosecond what Go reads: of a fraction as many digits count as fit, and its product
 * with the unit is cut, not rounded.
 */
#include "duration.h"

#include <string.h>

#include "text.h"

/* The longest of either sign: -2^63 ns can be said, 2^63 cannot. */
#define LIMIT ((uint64_t)1 << 63)

static const struct unit {
  const char *word;
  uint64_t ns;
} units[] = {
    {"ns", 1},           {"us", 1000},      {"\xC2\xB5s", 1000}, /* micro sign */
    {"\xCE\xBCs", 1000},                                         /* Greek letter mu */
    {"ms", 1000000},     {"s", 1000000000}, {"m", 60000000000},  {"h", 3600000000000},
};

/* The number at the start of `text`, whose digits are taken off; false if it is over LIMIT. */
static bool take_whole(struct cctx__text *text, uint64_t *out) {
  *out = 0;
  for (; text->len > 0 && cctx__is_digit(*text->at); text->at++, text->len--) {
    uint64_t digit = (uint64_t)(*text->at - '0');
    if (*out > (LIMIT - digit) / 10) return false;
    *out = *out * 10 + digit;
  }
  return true;
}

/* The digits of a fraction, as a number and the power of ten that it is to be divided by. */
static uint64_t take_fraction(struct cctx__text *text, double *scale) {
  uint64_t number = 0;
  bool is_full = false;
  *scale = 1;
  for (; text->len > 0 && cctx__is_digit(*text->at); text->at++, text->len--) {
    uint64_t digit = (uint64_t)(*text->at - '0');
    if (is_full || number > (LIMIT - 1 - digit) / 10) {
      is_full = true;
      continue;
    }
    number = number * 10 + digit;
    *scale *= 10;
  }
  return number;
}

/* The unit up to the next number; 0 if there is none. */
static uint64_t take_unit(struct cctx__text *text) {
  size_t len = 0;
  uint64_t ns = 0;
  while (len < text->len && text->at[len] != '.' && !cctx__is_digit(text->at[len])) len++;
  for (size_t i = 0; i < sizeof units / sizeof *units; i++)
    if (len == strlen(units[i].word) && memcmp(text->at, units[i].word, len) == 0)
      ns = units[i].ns;
  text->at += len;
  text->len -= len;
  return ns;
}

/* One number with its unit, added to `*sum`. */
static bool take_part(struct cctx__text *text, uint64_t *sum) {
  const char *start = text->at;
  uint64_t whole, fraction = 0, unit;
  size_t digits;
  double scale = 1;
  if (!take_whole(text, &whole)) return false;
  digits = (size_t)(text->at - start);
  if (text->len > 0 && *text->at == '.') {
    text->at++, text->len--;
    start = text->at;
    fraction = take_fraction(text, &scale);
    digits += (size_t)(text->at - start);
  }
  if (digits == 0) return false;
  unit = take_unit(text);
  if (unit == 0 || whole > LIMIT / unit) return false;
  whole = whole * unit + (uint64_t)((double)fraction * ((double)unit / scale));
  if (whole > LIMIT || whole > LIMIT - *sum) return false;
  *sum += whole;
  return true;
}

int cctx__duration_parse(const char *text, size_t len, int64_t *out) {
  struct cctx__text left = {text, len};
  bool is_negative = len > 0 && *text == '-';
  uint64_t sum = 0;
  if (len > 0 && (*text == '-' || *text == '+')) left.at++, left.len--;
  if (left.len == 0) return CCTX_EINVAL;
  if (left.len == 1 && *left.at == '0') left.len = 0;
  while (left.len > 0)
    if (!take_part(&left, &sum)) return CCTX_EINVAL;
  if (sum == LIMIT && !is_negative) return CCTX_EINVAL;
  *out = is_negative ? -(int64_t)(sum - (sum > 0)) - (sum > 0) : (int64_t)sum;
  return CCTX_OK;
}
