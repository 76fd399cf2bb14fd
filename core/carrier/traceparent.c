/* SPDX-License-Identifier: Apache-2.0 */
/* The traceparent of W3C Trace Context: version, trace id, span id, flags. */
#include <cctx/carrier.h>

#include <string.h>

#include "text.h"

/* Where the parts start: 00-<32 digits>-<16 digits>-<2 digits>. */
enum { TRACE_AT = 3, SPAN_AT = 36, FLAGS_AT = 53 };

/* The flags that level 2 gives a meaning to; others are not passed on. */
enum { KNOWN_FLAGS = 0x03 };

/* Read 2 * n digits into n bytes. */
static bool read_bytes(const char *text, uint8_t *out, size_t n) {
  for (size_t i = 0; i < n; i++) {
    int high = cctx__hex(text[2 * i]), low = cctx__hex(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = (uint8_t)(high << 4 | low);
  }
  return true;
}

static char *write_bytes(char *out, const uint8_t *bytes, size_t n) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < n; i++) {
    *out++ = digits[bytes[i] >> 4];
    *out++ = digits[bytes[i] & 15];
  }
  return out;
}

static bool is_zero(const uint8_t *bytes, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (bytes[i] != 0) return false;
  return true;
}

/* Version 00 is 55 characters and no more; what a later one appends follows a hyphen. */
static bool has_shape(struct cctx__text text, uint8_t version) {
  if (text.at[TRACE_AT - 1] != '-' || text.at[SPAN_AT - 1] != '-' ||
      text.at[FLAGS_AT - 1] != '-')
    return false;
  if (version == 0xff) return false;
  if (text.len == CCTX_TRACEPARENT_LEN) return true;
  return version > 0 && text.at[CCTX_TRACEPARENT_LEN] == '-';
}

int cctx_traceparent_parse(const char *text, size_t len, struct cctx_trace *out) {
  struct cctx__text field = cctx__trim(text, len);
  struct cctx_trace trace;
  uint8_t version;
  if (field.len < CCTX_TRACEPARENT_LEN || !read_bytes(field.at, &version, 1) ||
      !has_shape(field, version))
    return CCTX_EINVAL;
  if (!read_bytes(field.at + TRACE_AT, trace.trace_id, sizeof trace.trace_id) ||
      !read_bytes(field.at + SPAN_AT, trace.span_id, sizeof trace.span_id) ||
      !read_bytes(field.at + FLAGS_AT, &trace.flags, 1))
    return CCTX_EINVAL;
  if (is_zero(trace.trace_id, sizeof trace.trace_id) ||
      is_zero(trace.span_id, sizeof trace.span_id))
    return CCTX_EINVAL;
  trace.flags &= KNOWN_FLAGS;
  *out = trace;
  return CCTX_OK;
}

void cctx_traceparent_format(const struct cctx_trace *trace,
                             char out[CCTX_TRACEPARENT_LEN + 1]) {
  uint8_t flags = trace->flags & KNOWN_FLAGS;
  memcpy(out, "00-", TRACE_AT);
  char *at = write_bytes(out + TRACE_AT, trace->trace_id, sizeof trace->trace_id);
  *at++ = '-';
  at = write_bytes(at, trace->span_id, sizeof trace->span_id);
  *at++ = '-';
  at = write_bytes(at, &flags, 1);
  *at = '\0';
}
