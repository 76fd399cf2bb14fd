/* SPDX-License-Identifier: Apache-2.0 */
/* The traceparent of W3C Trace Context: version, trace id, span id, flags. */
#include "traceparent.h"

#include <string.h>

/* Where the parts start: 00-<32 digits>-<16 digits>-<2 digits>. */
enum { TRACE_AT = 3, SPAN_AT = 36, FLAGS_AT = 53 };

/* The flags that level 2 gives a meaning to; others are not passed on. */
enum { KNOWN_FLAGS = CCTX_TRACE_SAMPLED | CCTX_TRACE_RANDOM };

bool cctx__hex_read(const char *text, uint8_t *out, size_t n) {
  for (size_t i = 0; i < n; i++) {
    int high = cctx__hex(text[2 * i]), low = cctx__hex(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = (uint8_t)(high << 4 | low);
  }
  return true;
}

char *cctx__hex_write(char *out, const uint8_t *bytes, size_t n) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < n; i++) {
    *out++ = digits[bytes[i] >> 4];
    *out++ = digits[bytes[i] & 15];
  }
  return out;
}

bool cctx__is_zero(const uint8_t *bytes, size_t n) {
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
  uint8_t version, flags;
  if (field.len < CCTX_TRACEPARENT_LEN || !cctx__hex_read(field.at, &version, 1) ||
      !has_shape(field, version))
    return CCTX_EINVAL;
  if (!cctx__hex_read(field.at + TRACE_AT, trace.trace_id, sizeof trace.trace_id) ||
      !cctx__hex_read(field.at + SPAN_AT, trace.span_id, sizeof trace.span_id) ||
      !cctx__hex_read(field.at + FLAGS_AT, &flags, 1))
    return CCTX_EINVAL;
  if (cctx__is_zero(trace.trace_id, sizeof trace.trace_id) ||
      cctx__is_zero(trace.span_id, sizeof trace.span_id))
    return CCTX_EINVAL;
  trace.flags = flags & KNOWN_FLAGS;
  *out = trace;
  return CCTX_OK;
}

void cctx_traceparent_format(const struct cctx_trace *trace,
                             char out[CCTX_TRACEPARENT_LEN + 1]) {
  uint8_t flags = (uint8_t)(trace->flags & KNOWN_FLAGS);
  memcpy(out, "00-", TRACE_AT);
  char *at = cctx__hex_write(out + TRACE_AT, trace->trace_id, sizeof trace->trace_id);
  *at++ = '-';
  at = cctx__hex_write(at, trace->span_id, sizeof trace->span_id);
  *at++ = '-';
  at = cctx__hex_write(at, &flags, 1);
  *at = '\0';
}
