/* SPDX-License-Identifier: Apache-2.0 */
/* Percent-encoding, as W3C Baggage has it.
 *
 * Decoding never makes a value longer: a byte that is no UTF-8 was sent as three
 * characters ("%ff"), and U+FFFD is three bytes.
 */
#include "percent.h"

#include <string.h>

/* The value of a hexadecimal digit of either case, or -1. */
static int any_hex(char c) { return cctx__hex(c >= 'A' && c <= 'F' ? (char)(c + 32) : c); }

bool cctx__percent_check(struct cctx__text text) {
  for (size_t i = 0; i < text.len; i++) {
    char c = text.at[i];
    if (c < 0x21 || c > 0x7e || c == '"' || c == ',' || c == ';' || c == '\\') return false;
    if (c == '%' &&
        (text.len - i < 3 || any_hex(text.at[i + 1]) < 0 || any_hex(text.at[i + 2]) < 0))
      return false;
  }
  return true;
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
static unsigned char take_byte(struct cctx__text *text, char blank) {
  unsigned char byte = (unsigned char)text->at[0];
  size_t len = 1;
  if (byte == '%') {
    byte = (unsigned char)(any_hex(text->at[1]) << 4 | any_hex(text->at[2]));
    len = 3;
  } else if (blank && text->at[0] == blank) {
    byte = ' ';
  }
  text->at += len;
  text->len -= len;
  return byte;
}

static char *decode_character(struct cctx__text *value, char blank, char *end) {
  static const char replacement[] = "\xef\xbf\xbd";
  unsigned char low, high, bytes[4];
  bytes[0] = take_byte(value, blank);
  size_t want = sequence_len(bytes[0], &low, &high), have = 1;
  while (have < want && value->len > 0) {
    struct cctx__text ahead = *value;
    unsigned char next = take_byte(&ahead, blank);
    if (next < low || next > high) break;
    low = 0x80, high = 0xbf;
    bytes[have++] = next;
    *value = ahead;
  }
  const void *from = have == want ? (const void *)bytes : replacement;
  size_t len = have == want ? have : sizeof replacement - 1;
  memcpy(end, from, len);
  return end + len;
}

size_t cctx__percent_decode(struct cctx__text value, char blank, bool any, char *out) {
  char *end = out;
  while (value.len > 0) {
    if (any)
      *end++ = (char)take_byte(&value, blank);
    else
      end = decode_character(&value, blank, end);
  }
  return (size_t)(end - out);
}

/* A bit for each character: -. and digits; _ and letters, and ~. */
static bool is_plain(char c) {
  static const uint32_t plain[8] = {0, 0x03ff6000, 0x87fffffe, 0x47fffffe};
  unsigned char at = (unsigned char)c;
  return plain[at >> 5] >> (at & 31) & 1;
}

size_t cctx__percent_length(struct cctx__text value) {
  size_t len = value.len;
  for (size_t i = 0; i < value.len; i++)
    if (!is_plain(value.at[i])) len += 2;
  return len;
}

size_t cctx__percent_encode(struct cctx__text value, char *out) {
  static const char digits[] = "0123456789ABCDEF";
  char *end = out;
  for (size_t i = 0; i < value.len; i++) {
    unsigned char byte = (unsigned char)value.at[i];
    if (is_plain(value.at[i])) {
      *end++ = value.at[i];
      continue;
    }
    *end++ = '%';
    *end++ = digits[byte >> 4];
    *end++ = digits[byte & 15];
  }
  return (size_t)(end - out);
}
