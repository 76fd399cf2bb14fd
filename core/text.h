/* SPDX-License-Identifier: Apache-2.0 */
/* Text that a stranger sent: a pointer and a length, with no NUL at its end. */
#ifndef CCTX__TEXT_H
#define CCTX__TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cctx__text {
  const char *at;
  size_t len;
};

/* Optional white space of HTTP (RFC 9110, 5.6.3): nothing else is blank. */
static inline bool cctx__is_blank(char c) { return c == ' ' || c == '\t'; }

static inline struct cctx__text cctx__trim(const char *at, size_t len) {
  while (len > 0 && cctx__is_blank(at[0])) at++, len--;
  while (len > 0 && cctx__is_blank(at[len - 1])) len--;
  return (struct cctx__text){at, len};
}

static inline bool cctx__is_digit(char c) { return c >= '0' && c <= '9'; }

/* Take 1 to `max` digits off the front. False, with nothing taken, if there are none, or more, or
 * more than an int64_t holds. */
static inline bool cctx__take_number(struct cctx__text *text, size_t max, int64_t *out) {
  int64_t number = 0;
  size_t n = 0;
  for (; n < text->len && cctx__is_digit(text->at[n]); n++) {
    int digit = text->at[n] - '0';
    if (n == max || number > (INT64_MAX - digit) / 10) return false;
    number = number * 10 + digit;
  }
  if (n == 0) return false;
  text->at += n;
  text->len -= n;
  *out = number;
  return true;
}

/* The value of a lower-case hexadecimal digit, or -1. */
static inline int cctx__hex(char c) {
  if (cctx__is_digit(c)) return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#endif
