/* SPDX-License-Identifier: Apache-2.0 */
/* A carrier of a few fields for fuzz targets, and what must hold of any context out of one. */
#ifndef CARRIER_H
#define CARRIER_H

#include <cctx.h>

#include "target.h"

enum { FIELDS_MAX = 32 };

/* Each field is memory of its own and of its exact size. */
struct carried {
  struct cctx_fields fields;
  struct cctx_field at[FIELDS_MAX];
};

static inline void carried_add(struct carried *carried, const uint8_t *name,
                               size_t name_len, const uint8_t *value, size_t len) {
  struct cctx_field *field = &carried->at[carried->fields.n];
  if (carried->fields.n == FIELDS_MAX) return;
  *field = (struct cctx_field){copy_input(name, name_len), name_len, copy_input(value, len),
                               len};
  carried->fields.at = carried->at;
  carried->fields.n++;
}

/* Lines of the input are values of `name`; or with no name "NAME: VALUE". */
static inline void carried_split(struct carried *carried, const char *name,
                                 const uint8_t *data, size_t size) {
  while (size > 0) {
    const uint8_t *end = memchr(data, '\n', size);
    size_t len = end ? (size_t)(end - data) : size;
    const uint8_t *colon = len ? memchr(data, ':', len) : NULL;
    if (name)
      carried_add(carried, (const uint8_t *)name, strlen(name), data, len);
    else if (colon)
      carried_add(carried, data, (size_t)(colon - data), colon + 1,
                  len - (size_t)(colon + 1 - data));
    len += end != NULL;
    data += len;
    size -= len;
  }
}

static inline void carried_free(struct carried *carried) {
  for (size_t i = 0; i < carried->fields.n; i++) {
    free((void *)carried->at[i].name);
    free((void *)carried->at[i].value);
  }
}

/* Extract; what came in is inside every budget. */
static inline cctx *carried_extract(struct carried *carried,
                                    const struct cctx_policy *policy,
                                    struct cctx_extracted *report) {
  struct cctx_carrier carrier = cctx_fields_carrier(&carried->fields);
  size_t bytes = 0, count;
  cctx *ctx = NULL;
  HOLDS(cctx_extract(&ctx, cctx_background(), &carrier, policy, report) == 0);
  count = cctx_metadata_count(ctx);
  HOLDS(count == report->pairs && count <= CCTX_METADATA_PAIRS_MAX);
  for (size_t i = 0; i < count; i++) {
    struct cctx_metadata_pair pair;
    HOLDS(cctx_metadata_at(ctx, i, &pair) == 0);
    HOLDS(pair.scope == CCTX_REQUEST || pair.scope == CCTX_UPSTREAM);
    HOLDS(pair.value[pair.len] == '\0');
    bytes += strlen(pair.name) + pair.len;
  }
  HOLDS(bytes <= CCTX_METADATA_BYTES_MAX);
  return ctx;
}

/* Takes what inject sets into a carrier of its own. */
static inline int carried_set(void *arg, const char *name, const char *value, size_t len) {
  struct carried *out = arg;
  if (value) HOLDS(strlen(name) > 0 && value[len] == '\0');
  if (value && strpbrk(name, "\r\n: ")) abort();
  if (value)
    carried_add(out, (const uint8_t *)name, strlen(name), (const uint8_t *)value, len);
  return 0;
}

/* What is said of `ctx` under `policy` is understood as the same: what `same` finds of both. */
static inline void carried_twice(const cctx *ctx, const struct cctx_policy *policy,
                                 void (*same)(const cctx *a, const cctx *b)) {
  struct carried out = {{NULL, 0}, {{NULL, 0, NULL, 0}}};
  struct cctx_carrier carrier = {.set = carried_set, .arg = &out};
  struct cctx_extracted report;
  cctx *again;
  HOLDS(cctx_inject(ctx, &carrier, policy) == 0);
  again = carried_extract(&out, policy, &report);
  HOLDS(report.refused == 0);
  same(ctx, again);
  cctx_unref(again);
  carried_free(&out);
}

/* ---- What is the same ---- */

static inline bool same_value(const cctx *a, const cctx *b, const char *name) {
  cctx_variant one, other;
  int rc = cctx_value(a, cctx_key_find(name), &one);
  if (rc != cctx_value(b, cctx_key_find(name), &other)) return false;
  if (rc != 0) return true;
  if (one.type != other.type) return false;
  if (one.type == CCTX_INT) return one.as.i == other.as.i;
  return one.as.s.len == other.as.s.len &&
         memcmp(one.as.s.bytes, other.as.s.bytes, one.as.s.len) == 0;
}

static inline void same_trace(const cctx *a, const cctx *b) {
  HOLDS(same_value(a, b, "trace_id") && same_value(a, b, "span_id"));
  HOLDS(same_value(a, b, "trace_flags") && same_value(a, b, "tracestate"));
}

/* Each pair of scope request of `b`, which may have lost some, is in `a`. */
static inline void same_metadata(const cctx *a, const cctx *b) {
  struct cctx_metadata_pair pair;
  for (size_t i = 0; cctx_metadata_at(b, i, &pair) == 0; i++) {
    size_t len;
    const char *value = cctx_metadata(a, pair.name, &len);
    HOLDS(value && len == pair.len && memcmp(value, pair.value, len) == 0);
  }
}

#endif
