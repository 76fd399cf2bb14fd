/* SPDX-License-Identifier: Apache-2.0 */
/* The members of a W3C baggage: strict reading of what a stranger sent.
 *
 * Decoding never makes a value longer: a byte that is no UTF-8 was sent as three
 * characters ("%ff"), and U+FFFD is three bytes.
 */
#include "baggage.h"

#include <cctx/base.h>
#include <string.h>

/* RFC 9110, 5.6.2. */
static bool is_token(struct cctx__text text) {
  for (size_t i = 0; i < text.len; i++) {
    char c = text.at[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (c == '\0' || (!letter && !cctx__is_digit(c) && !strchr("!#$%&'*+-.^_`|~", c)))
      return false;
  }
  return text.len > 0;
}

/* The value of a hexadecimal digit of either case, or -1. */
static int any_hex(char c) { return cctx__hex(c >= 'A' && c <= 'F' ? (char)(c + 32) : c); }

/* Printable ASCII but for the marks that end a value, each '%' with its two digits. */
static bool is_value(struct cctx__text text) {
  for (size_t i = 0; i < text.len; i++) {
    char c = text.at[i];
    if (c < 0x21 || c > 0x7e || c == '"' || c == ',' || c == ';' || c == '\\') return false;
    if (c == '%' &&
        (text.len - i < 3 || any_hex(text.at[i + 1]) < 0 || any_hex(text.at[i + 2]) < 0))
      return false;
  }
  return true;
}

/* What stands before the first `mark`, or all of it. */
static struct cctx__text cut_at(struct cctx__text text, char mark) {
  const char *end = text.len ? memchr(text.at, mark, text.len) : NULL;
  if (end) text.len = (size_t)(end - text.at);
  return text;
}

static int read_member(struct cctx__text text, struct cctx__member *out) {
  struct cctx__text pair = cut_at(text, ';');
  struct cctx__text name = cut_at(pair, '=');
  if (name.len == pair.len) return CCTX_EINVAL;
  struct cctx__member member = {
      cctx__trim(name.at, name.len),
      cctx__trim(name.at + name.len + 1, pair.len - name.len - 1)};
  if (!is_token(member.name) || !is_value(member.value)) return CCTX_EINVAL;
  *out = member;
  return 1;
}

int cctx__baggage_next(struct cctx__baggage *baggage, struct cctx__member *out) {
  struct cctx__text *rest = &baggage->rest;
  while (rest->len > 0) {
    struct cctx__text raw = cut_at(*rest, ',');
    size_t taken = raw.len < rest->len ? raw.len + 1 : raw.len;
    rest->at += taken;
    rest->len -= taken;
    struct cctx__text member = cctx__trim(raw.at, raw.len);
    if (member.len > 0) return read_member(member, out);
  }
  return 0;
}

/* How many bytes a sequence has that starts with `lead`, and the bounds of its second byte
 * (Unicode, table 3-7: no overlong forms, no surrogates, nothing over U+10FFFF). */
static size_t sequence_len(unsigned char lead, unsigned char *low, unsigned char *high) {
  *low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  *high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  return 0;
}

/* The byte at the front of `text`, which is taken off. */
static unsigned char take_byte(struct cctx__text *text) {
  unsigned char byte = (unsigned char)text->at[0];
  size_t len = 1;
  if (byte == '%') {
    byte = (unsigned char)(any_hex(text->at[1]) << 4 | any_hex(text->at[2]));
    len = 3;
  }
  text->at += len;
  text->len -= len;
  return byte;
}

size_t cctx__baggage_decode(struct cctx__text value, char *out) {
  static const char replacement[] = "\xef\xbf\xbd";
  char *end = out;
  while (value.len > 0) {
    unsigned char low, high, bytes[4];
    bytes[0] = take_byte(&value);
    size_t want = sequence_len(bytes[0], &low, &high), have = 1;
    while (have < want && value.len > 0) {
      struct cctx__text ahead = value;
      unsigned char next = take_byte(&ahead);
      if (next < low || next > high) break;
      low = 0x80, high = 0xbf;
      bytes[have++] = next;
      value = ahead;
    }
    const void *from = have == want ? (const void *)bytes : replacement;
    size_t len = have == want ? have : sizeof replacement - 1;
    memcpy(end, from, len);
    end += len;
  }
  return (size_t)(end - out);
}
