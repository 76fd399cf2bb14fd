/* SPDX-License-Identifier: Apache-2.0 */
/* B3, the propagation of Zipkin: one header, or several.
 *
 * Sampling has four states: yes, no, debug (yes, and no sampler may say otherwise), and
 * deferred, which is the absence of a word. A trace id of 16 digits is the right half of one
 * of 32.
 */
#include "b3.h"

#include <string.h>

#include "traceparent.h"

enum { LONG_ID = 32, SHORT_ID = 16, SPAN_ID = 16 };

/* ---- Reading ---- */

static bool read_trace_id(struct cctx__text text, struct cctx_trace *out) {
  memset(out->trace_id, 0, sizeof out->trace_id);
  if (text.len != LONG_ID && text.len != SHORT_ID) return false;
  size_t n = text.len / 2;
  return cctx__hex_read(text.at, out->trace_id + sizeof out->trace_id - n, n) &&
         !cctx__is_zero(out->trace_id, sizeof out->trace_id);
}

static bool read_span_id(struct cctx__text text, struct cctx_trace *out) {
  return text.len == SPAN_ID && cctx__hex_read(text.at, out->span_id, SPAN_ID / 2) &&
         !cctx__is_zero(out->span_id, sizeof out->span_id);
}

static bool read_sampling(struct cctx__text text, struct cctx_trace *out) {
  if (text.len != 1) return false;
  switch (text.at[0]) {
  case '0': out->flags = 0; return true;
  case '1': out->flags = CCTX_TRACE_SAMPLED; return true;
  case 'd': out->flags = CCTX_TRACE_SAMPLED | CCTX_TRACE_DEBUG; return true;
  default: return false;
  }
}

/* Take what stands before the next hyphen off `rest`. */
static struct cctx__text take_part(struct cctx__text *rest) {
  const char *end = rest->len ? memchr(rest->at, '-', rest->len) : NULL;
  struct cctx__text part = {rest->at, end ? (size_t)(end - rest->at) : rest->len};
  size_t taken = part.len + (end != NULL);
  rest->at += taken;
  rest->len -= taken;
  return part;
}

/* TRACE-SPAN[-SAMPLING[-PARENT]], or SAMPLING alone. */
static bool read_single(struct cctx__text text, struct cctx_trace *out) {
  struct cctx_trace parent;
  if (text.len == 1) return read_sampling(text, out);
  if (text.len > 0 && text.at[text.len - 1] == '-') return false;
  if (!read_trace_id(take_part(&text), out) || !read_span_id(take_part(&text), out))
    return false;
  out->flags = CCTX_TRACE_DEFERRED;
  if (text.len > 0 && !read_sampling(take_part(&text), out)) return false;
  return text.len == 0 || read_span_id(text, &parent);
}

int cctx__b3_read(const struct cctx__source *source, struct cctx_trace *out) {
  struct cctx_trace trace = {.flags = 0};
  struct cctx__text field;
  int found = cctx__source_only(source, "b3", &field);
  if (found != 1) return found;
  if (!read_single(cctx__trim(field.at, field.len), &trace)) {
    source->counts->malformed++;
    return CCTX_EINVAL;
  }
  *out = trace;
  return 1;
}

static bool is_word(struct cctx__text text, const char *word) {
  return text.len == strlen(word) && memcmp(text.at, word, text.len) == 0;
}

/* Older ones write true and false. */
static bool read_sampled(struct cctx__text text, struct cctx_trace *out) {
  if (is_word(text, "true") || is_word(text, "1"))
    out->flags = CCTX_TRACE_SAMPLED;
  else if (is_word(text, "false") || is_word(text, "0"))
    out->flags = 0;
  else
    return false;
  return true;
}

/* Debug implies sampled. Other flags mean nothing. */
static bool read_flags(struct cctx__text text, struct cctx_trace *out) {
  if (is_word(text, "1")) out->flags = CCTX_TRACE_SAMPLED | CCTX_TRACE_DEBUG;
  return true;
}

int cctx__b3_read_multi(const struct cctx__source *source, struct cctx_trace *out) {
  static const struct {
    const char *name;
    bool (*read)(struct cctx__text text, struct cctx_trace *out);
  } parts[] = {{"x-b3-traceid", read_trace_id},
               {"x-b3-spanid", read_span_id},
               {"x-b3-sampled", read_sampled},
               {"x-b3-flags", read_flags}};
  struct cctx_trace trace = {.flags = CCTX_TRACE_DEFERRED};
  unsigned found = 0;
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    struct cctx__text field;
    int rc = cctx__source_only(source, parts[i].name, &field);
    if (rc < 0) return rc;
    if (rc == 1 && !parts[i].read(cctx__trim(field.at, field.len), &trace)) {
      source->counts->malformed++;
      return CCTX_EINVAL;
    }
    found += (unsigned)rc << i;
  }
  if ((found & 3) == 1 || (found & 3) == 2) {
    source->counts->malformed++; /* one id without the other */
    return CCTX_EINVAL;
  }
  if ((found & 3) == 0 && trace.flags == CCTX_TRACE_DEFERRED) return 0;
  *out = trace;
  return 1;
}

/* ---- Writing ---- */

/* The word of the sampling, or NUL if it is deferred. */
static char sampling(const struct cctx_trace *trace) {
  if (trace->flags & CCTX_TRACE_DEBUG) return 'd';
  if (trace->flags & CCTX_TRACE_SAMPLED) return '1';
  return trace->flags & CCTX_TRACE_DEFERRED ? '\0' : '0';
}

void cctx__b3_write(const struct cctx_trace *trace, struct cctx__sink *sink) {
  char text[LONG_ID + SPAN_ID + 4], *end = text;
  if (trace && !cctx__is_zero(trace->trace_id, sizeof trace->trace_id)) {
    end = cctx__hex_write(end, trace->trace_id, sizeof trace->trace_id);
    *end++ = '-';
    end = cctx__hex_write(end, trace->span_id, sizeof trace->span_id);
  }
  if (trace && sampling(trace)) {
    if (end != text) *end++ = '-';
    *end++ = sampling(trace);
  }
  *end = '\0';
  cctx__sink_set(sink, "b3", end != text ? text : NULL, (size_t)(end - text));
}

/* Never the parent's span id; and of debug not the sampled that it implies. */
void cctx__b3_write_multi(const struct cctx_trace *trace, struct cctx__sink *sink) {
  char trace_id[LONG_ID + 1], span_id[SPAN_ID + 1], sampled[2] = "";
  bool has_ids = trace && !cctx__is_zero(trace->trace_id, sizeof trace->trace_id);
  char word = trace ? sampling(trace) : '\0';
  if (has_ids) {
    *cctx__hex_write(trace_id, trace->trace_id, sizeof trace->trace_id) = '\0';
    *cctx__hex_write(span_id, trace->span_id, sizeof trace->span_id) = '\0';
  }
  sampled[0] = word;
  cctx__sink_set(sink, "x-b3-traceid", has_ids ? trace_id : NULL, LONG_ID);
  cctx__sink_set(sink, "x-b3-spanid", has_ids ? span_id : NULL, SPAN_ID);
  cctx__sink_set(sink, "x-b3-parentspanid", NULL, 0);
  cctx__sink_set(sink, "x-b3-sampled", word == '0' || word == '1' ? sampled : NULL, 1);
  cctx__sink_set(sink, "x-b3-flags", word == 'd' ? "1" : NULL, 1);
}
