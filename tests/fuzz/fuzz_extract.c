/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes cctx_extract: lines of the input are the fields of a hostile carrier. */
#include <cctx.h>

#include "target.h"

/* The first line is the baggage, then traceparent, grpc-timeout, cctx-deadline. */
static const char *const names[] = {"baggage", "traceparent", "grpc-timeout",
                                    "cctx-deadline"};
enum { FIELDS = sizeof names / sizeof *names };

struct fields {
  char *text[FIELDS]; /* NULL: absent */
  size_t len[FIELDS];
};

static const char *get_field(void *arg, const char *name, size_t *len) {
  struct fields *fields = arg;
  size_t i;
  for (i = 0; i < FIELDS; i++)
    if (strcmp(name, names[i]) == 0 && fields->text[i] != NULL) {
      *len = fields->len[i];
      return fields->text[i];
    }
  return NULL;
}

static void split_input(struct fields *fields, const uint8_t *data, size_t size) {
  size_t i;
  for (i = 0; i < FIELDS && size > 0; i++) {
    const uint8_t *end = memchr(data, '\n', size);
    size_t len = end != NULL ? (size_t)(end - data) : size;
    fields->text[i] = copy_input(data, len);
    fields->len[i] = len;
    if (end != NULL) len++;
    data += len;
    size -= len;
  }
}

/* What came in is inside every budget, and nothing else changed. */
static void check_context(const cctx *ctx, const struct cctx_extracted *report,
                          int64_t latest) {
  size_t i, count = cctx_metadata_count(ctx), bytes = 0;
  HOLDS(count <= report->pairs);
  HOLDS(count <= CCTX_BAGGAGE_MEMBERS_MAX && count <= CCTX_METADATA_PAIRS_MAX);
  for (i = 0; i < count; i++) {
    struct cctx_metadata_pair pair;
    size_t len = 0;
    HOLDS(cctx_metadata_at(ctx, i, &pair) == 0);
    HOLDS(pair.scope == CCTX_REQUEST);
    HOLDS(strlen(pair.name) > 0 && pair.value[pair.len] == '\0');
    HOLDS(cctx_metadata(ctx, pair.name, &len) == pair.value && len == pair.len);
    bytes += strlen(pair.name) + pair.len;
  }
  HOLDS(bytes <= CCTX_METADATA_BYTES_MAX && bytes <= CCTX_BAGGAGE_BYTES_MAX);
  if (report->deadline == CCTX_NEVER) HOLDS(cctx_deadline(ctx) == CCTX_NEVER);
  if (report->deadline != CCTX_NEVER) HOLDS(cctx_deadline(ctx) <= latest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct fields fields = {{NULL}, {0}};
  struct cctx_carrier carrier = {.get = get_field, .arg = &fields};
  struct cctx_extracted report;
  struct cctx_policy policy = cctx_policy_for(CCTX_FORMAT_HTTP);
  cctx *ctx = NULL;
  size_t i;
  policy.read |= CCTX_FIELD_DEADLINE;
  policy.timeout_max = CCTX_SECOND;
  cctx_clock_set(1000 * CCTX_SECOND);
  split_input(&fields, data, size);
  HOLDS(cctx_extract(&ctx, cctx_background(), &carrier, &policy, &report) == 0);
  check_context(ctx, &report, cctx_deadline_after(CCTX_SECOND));
  cctx_unref(ctx);
  HOLDS(cctx_alive() == 0);
  for (i = 0; i < FIELDS; i++) free(fields.text[i]);
  return 0;
}
