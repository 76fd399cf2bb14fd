/* SPDX-License-Identifier: Apache-2.0 */
/* The trace of a context: its ids, its flags, its state, whatever headers carry them.
 *
 * No span is made here, so none is named: what came is sent on as it came, as W3C asks of
 * one that takes no part in a trace. A tracer sets the value span_id to its span's.
 */
#include "trace.h"

#include <cctx/value.h>

#include <string.h>

#include "b3.h"
#include "traceparent.h"

/* Hexadecimal digits of the two ids. */
enum { TRACE_ID_LEN = 32, SPAN_ID_LEN = 16 };

/* The value of the key of this name, unless it is secret. */
static bool get_value(const cctx *ctx, const char *name, enum cctx_type type,
                      cctx_variant *out) {
  const cctx_key *key = cctx_key_find(name);
  return key && !(key->flags & CCTX_KEY_SECRET) && cctx_value(ctx, key, out) == CCTX_OK &&
         out->type == type;
}

/* ---- Reading ---- */

static int read_w3c(const struct cctx__source *source, struct cctx__trace *out) {
  struct cctx__text field;
  int found = cctx__source_only(source, "traceparent", &field);
  if (found != 1) return found;
  if (cctx_traceparent_parse(field.at, field.len, &out->id) != CCTX_OK) {
    source->counts->malformed++;
    return CCTX_EINVAL;
  }
  cctx__tracestate_read(source, &out->state);
  return 1;
}

void cctx__trace_read(const struct cctx__source *source, unsigned fields,
                      struct cctx__trace *out) {
  int found = 0;
  memset(&out->id, 0, sizeof out->id);
  out->state.len = 0;
  if (fields & CCTX_FIELD_TRACE) found = read_w3c(source, out);
  if (found != 1 && fields & CCTX_FIELD_B3) found = cctx__b3_read(source, &out->id);
  if (found != 1 && fields & CCTX_FIELD_B3_MULTI)
    found = cctx__b3_read_multi(source, &out->id);
  out->has_flags = found == 1;
  out->has_ids = !cctx__is_zero(out->id.trace_id, sizeof out->id.trace_id);
}

cctx *cctx__trace_derive(cctx *parent, const struct cctx__trace *trace) {
  char trace_id[TRACE_ID_LEN], span_id[SPAN_ID_LEN];
  struct cctx_entry entries[4];
  cctx_variant outer;
  size_t n = 0;
  if (!trace->has_flags) return cctx_ref(parent);
  entries[n++] =
      (struct cctx_entry){cctx_key_named("trace_flags"), cctx_int(trace->id.flags)};
  if (trace->has_ids) {
    cctx__hex_write(trace_id, trace->id.trace_id, sizeof trace->id.trace_id);
    cctx__hex_write(span_id, trace->id.span_id, sizeof trace->id.span_id);
    entries[n++] = (struct cctx_entry){cctx_key_named("trace_id"),
                                       cctx_bytes(trace_id, sizeof trace_id)};
    entries[n++] =
        (struct cctx_entry){cctx_key_named("span_id"), cctx_bytes(span_id, sizeof span_id)};
    if (trace->state.len > 0)
      entries[n++] = (struct cctx_entry){cctx_key_named("tracestate"),
                                         cctx_bytes(trace->state.text, trace->state.len)};
    else if (get_value(parent, "tracestate", CCTX_STRING,
                       &outer)) /* that of another trace */
      entries[n++] = (struct cctx_entry){cctx_key_named("tracestate"), cctx_nil()};
  }
  for (size_t i = 0; i < n; i++)
    if (!entries[i].key) return NULL;
  return cctx_with_values(parent, entries, n);
}

/* ---- Writing ---- */

/* Read 2 * n digits from a value into n bytes, which must not all be zero. */
static bool get_id(const cctx *ctx, const char *name, uint8_t *out, size_t n) {
  cctx_variant value;
  return get_value(ctx, name, CCTX_STRING, &value) && value.as.s.len == 2 * n &&
         cctx__hex_read(value.as.s.bytes, out, n) && !cctx__is_zero(out, n);
}

static struct cctx_trace get_trace(const cctx *ctx, struct cctx__trace *out,
                                   struct cctx_carrier_counts *counts) {
  struct cctx_trace trace = {.flags = 0};
  cctx_variant flags, state;
  out->has_flags = get_value(ctx, "trace_flags", CCTX_INT, &flags);
  trace.flags = out->has_flags ? (uint16_t)flags.as.i : CCTX_TRACE_DEFERRED;
  out->has_ids = get_id(ctx, "trace_id", trace.trace_id, sizeof trace.trace_id) &&
                 get_id(ctx, "span_id", trace.span_id, sizeof trace.span_id);
  if (!out->has_ids) { /* an id that is no id is nothing; nor is half of two */
    memset(trace.trace_id, 0, sizeof trace.trace_id);
    counts->unsendable += get_value(ctx, "trace_id", CCTX_STRING, &state);
  }
  out->state.len = 0;
  if (out->has_ids && get_value(ctx, "tracestate", CCTX_STRING, &state))
    cctx__tracestate_parse((struct cctx__text){state.as.s.bytes, state.as.s.len}, counts,
                           &out->state);
  return trace;
}

static void write_w3c(const struct cctx__trace *trace, struct cctx__sink *sink) {
  char text[CCTX_TRACEPARENT_LEN + 1];
  if (trace->has_ids) cctx_traceparent_format(&trace->id, text);
  cctx__sink_set(sink, "traceparent", trace->has_ids ? text : NULL, CCTX_TRACEPARENT_LEN);
  cctx__sink_set(sink, "tracestate", trace->state.len > 0 ? trace->state.text : NULL,
                 trace->state.len);
}

void cctx__trace_write(const cctx *ctx, unsigned fields, struct cctx__sink *sink) {
  struct cctx__trace trace;
  trace.id = get_trace(ctx, &trace, sink->source.counts);
  const struct cctx_trace *b3 = trace.has_ids || trace.has_flags ? &trace.id : NULL;
  if (fields & CCTX_FIELD_TRACE) write_w3c(&trace, sink);
  if (fields & CCTX_FIELD_B3) cctx__b3_write(b3, sink);
  if (fields & CCTX_FIELD_B3_MULTI) cctx__b3_write_multi(b3, sink);
}
