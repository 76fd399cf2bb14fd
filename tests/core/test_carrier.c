/* SPDX-License-Identifier: Apache-2.0 */
/* Extract: a context from whole carriers, the environment among them. */
#define _GNU_SOURCE 1
#include <cctx.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define TRACEPARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

/* A carrier over name, value, name, value, ..., NULL. */
static const char *get_pair(void *arg, const char *name, size_t *len) {
  for (const char **pair = arg; *pair; pair += 2)
    if (strcmp(pair[0], name) == 0) {
      *len = strlen(pair[1]);
      return pair[1];
    }
  return NULL;
}

static cctx *extract(cctx *parent, const char **pairs, int64_t timeout_max,
                     struct cctx_extracted *report) {
  struct cctx_carrier carrier = {.get = get_pair, .arg = pairs};
  struct cctx_policy policy = cctx_policy_for(CCTX_FORMAT_HTTP);
  cctx *ctx = NULL;
  policy.read |= CCTX_FIELD_DEADLINE;
  policy.timeout_max = timeout_max;
  CHECK_EQ(cctx_extract(&ctx, parent, &carrier, &policy, report), 0);
  return ctx;
}

static void check_text(const cctx *ctx, const char *key, const char *expected) {
  cctx_variant value = cctx_nil();
  CHECK_EQ(cctx_value(ctx, cctx_key_find(key), &value), 0);
  CHECK_EQ(value.type, CCTX_STRING);
  CHECK_EQ(value.as.s.len, strlen(expected));
  CHECK(memcmp(value.as.s.bytes, expected, value.as.s.len) == 0);
}

TEST(every_field_gives_its_part) {
  const char *fields[] = {"traceparent",  TRACEPARENT, "baggage", "tenant=acme",
                          "grpc-timeout", "2S",        NULL};
  struct cctx_extracted report;
  cctx_variant flags = cctx_nil();
  cctx_clock_set(CCTX_SECOND);
  cctx *ctx = extract(cctx_background(), fields, 0, &report);
  check_text(ctx, "trace_id", "0af7651916cd43dd8448eb211c80319c");
  check_text(ctx, "span_id", "b7ad6b7169203331");
  CHECK_EQ(cctx_value(ctx, cctx_key_find("trace_flags"), &flags), 0);
  CHECK_EQ(flags.type, CCTX_INT);
  CHECK_EQ(flags.as.i, 1);
  CHECK_STR(cctx_metadata(ctx, "tenant", NULL), "acme");
  CHECK_EQ(cctx_deadline(ctx), 3 * CCTX_SECOND);
  CHECK_EQ(report.deadline, 3 * CCTX_SECOND);
  CHECK_EQ(report.trace.trace_id[1], 0xf7);
  CHECK_EQ(report.pairs, 1);
  CHECK_EQ(report.refused, 0);
  cctx_unref(ctx);
  cctx_clock_set(CCTX_CLOCK_REAL);
}

TEST(a_deadline_says_whose_it_is_when_it_passes) {
  const char *fields[] = {"grpc-timeout", "5m", NULL};
  struct cctx_cause cause;
  cctx_clock_set(0);
  cctx *ctx = extract(cctx_background(), fields, 0, NULL);
  CHECK_EQ(cctx_err(ctx), 0);
  cctx_clock_set(5 * CCTX_MILLISECOND);
  CHECK_EQ(cctx_cause(ctx, &cause), CCTX_EDEADLINE);
  CHECK_STR(cause.message, "grpc-timeout of the caller");
  CHECK_STR(cause.file, "carrier");
  cctx_unref(ctx);
  cctx_clock_set(CCTX_CLOCK_REAL);
}

TEST(an_empty_carrier_gives_a_child_like_its_parent) {
  const char *fields[] = {NULL};
  struct cctx_extracted report;
  cctx *parent = cctx_with_cancel(cctx_background());
  cctx *ctx = extract(parent, fields, 5, &report);
  CHECK(ctx != parent);
  CHECK_EQ(cctx_deadline(ctx), CCTX_NEVER);
  CHECK_EQ(report.deadline, CCTX_NEVER);
  CHECK_EQ(report.refused, 0);
  CHECK_EQ(report.trace.trace_id[0], 0);
  cctx_finish(ctx); /* must not stop the parent */
  CHECK_EQ(cctx_err(parent), 0);
  cctx_finish(parent);
}

TEST(a_malformed_field_is_counted_and_the_others_are_read) {
  const char *fields[] = {"traceparent",   "00-nonsense",  "baggage",
                          "tenant=acme",   "grpc-timeout", "soon",
                          "cctx-deadline", "never",        NULL};
  struct cctx_extracted report;
  cctx_variant value;
  cctx *ctx = extract(cctx_background(), fields, 0, &report);
  CHECK_EQ(report.refused, 3);
  CHECK_EQ(report.pairs, 1);
  CHECK_EQ(cctx_deadline(ctx), CCTX_NEVER);
  CHECK_EQ(cctx_value(ctx, cctx_key_find("trace_id"), &value), CCTX_ENOTFOUND);
  CHECK_STR(cctx_metadata(ctx, "tenant", NULL), "acme");
  cctx_unref(ctx);
}

TEST(a_deadline_is_cut_to_the_longest_allowed) {
  const char *fields[] = {"grpc-timeout", "1H", NULL};
  struct cctx_extracted report;
  struct cctx_cause cause;
  cctx_clock_set(0);
  cctx *ctx = extract(cctx_background(), fields, 30 * CCTX_SECOND, &report);
  CHECK_EQ(cctx_deadline(ctx), 30 * CCTX_SECOND);
  CHECK_EQ(report.deadline, 30 * CCTX_SECOND);
  cctx_clock_set(30 * CCTX_SECOND);
  CHECK_EQ(cctx_cause(ctx, &cause), CCTX_EDEADLINE);
  CHECK_STR(cause.message, "the caller's deadline, cut to the longest one that is allowed");
  cctx_unref(ctx);
  cctx_clock_set(CCTX_CLOCK_REAL);
}

TEST(the_earlier_of_two_deadlines_holds) {
  char boot[64];
  const char *fields[] = {"grpc-timeout", "1H", "cctx-deadline", boot, NULL};
  int64_t soon = cctx_deadline_after(60 * CCTX_SECOND);
  if (cctx_boot_deadline_format(soon, boot, sizeof boot) != 0) SKIP("no boot id here");
  cctx *ctx = extract(cctx_background(), fields, 0, NULL);
  CHECK(cctx_remaining(ctx) <= 60 * CCTX_SECOND);
  CHECK(cctx_remaining(ctx) > 30 * CCTX_SECOND);
  cctx_unref(ctx);
  fields[1] = "5S";
  ctx = extract(cctx_background(), fields, 0, NULL);
  CHECK(cctx_remaining(ctx) <= 5 * CCTX_SECOND);
  cctx_unref(ctx);
}

TEST(the_deadline_of_the_parent_still_holds) {
  const char *fields[] = {"grpc-timeout", "1H", NULL};
  cctx_clock_set(0);
  cctx *parent = cctx_with_timeout(cctx_background(), CCTX_SECOND);
  cctx *ctx = extract(parent, fields, 0, NULL);
  CHECK_EQ(cctx_deadline(ctx), CCTX_SECOND);
  cctx_unref(ctx);
  cctx_finish(parent);
  cctx_clock_set(CCTX_CLOCK_REAL);
}

TEST(a_name_of_the_baggage_never_becomes_a_key) {
  const char *fields[] = {"baggage", "a_name_only_a_stranger_knows=1", NULL};
  cctx *ctx = extract(cctx_background(), fields, 0, NULL);
  CHECK(cctx_key_find("a_name_only_a_stranger_knows") == NULL);
  cctx_unref(ctx);
}

/* ---- Lack of memory ---- */

static int allocations_left;

static void *alloc_some(size_t size, void *arg) {
  (void)arg;
  return allocations_left-- > 0 ? malloc(size) : NULL;
}

static void free_some(void *memory, void *arg) {
  (void)arg;
  free(memory);
}

TEST(lack_of_memory_leaves_everything_as_it_was) {
  const struct cctx_allocator allocator = {alloc_some, free_some, NULL};
  const char *fields[] = {"traceparent",  TRACEPARENT, "baggage", "tenant=acme,a=b",
                          "grpc-timeout", "2S",        NULL};
  struct cctx_carrier carrier = {.get = get_pair, .arg = fields};
  int rc = CCTX_ENOMEM, failures = 0;
  for (int n = 0; rc != 0 && n < 100; n++) {
    cctx *ctx = cctx_todo();
    struct cctx_extracted report = {.pairs = 77};
    allocations_left = n;
    cctx_set_allocator(&allocator);
    rc = cctx_extract(&ctx, cctx_background(), &carrier, NULL, &report);
    cctx_set_allocator(NULL);
    if (rc == 0) {
      CHECK_EQ(report.pairs, 2);
      cctx_unref(ctx);
    } else {
      failures++;
      CHECK_EQ(rc, CCTX_ENOMEM);
      CHECK(ctx == cctx_todo());
      CHECK_EQ(report.pairs, 77);
    }
    CHECK_EQ(cctx_alive(), 0);
  }
  CHECK_EQ(rc, 0);
  CHECK(failures > 0);
}

/* ---- The environment ---- */

static cctx *extract_environment(unsigned more, struct cctx_extracted *report) {
  struct cctx_carrier carrier = cctx_environment();
  struct cctx_policy policy = cctx_policy_for(CCTX_FORMAT_ENVIRONMENT);
  cctx *ctx = NULL;
  policy.read |= more;
  CHECK_EQ(cctx_extract(&ctx, cctx_background(), &carrier, &policy, report), 0);
  return ctx;
}

TEST(names_of_variables_are_normalised) {
  CHECK_EQ(setenv("X_B3_TRACEID", "0af7651916cd43dd8448eb211c80319c", 1), 0);
  CHECK_EQ(setenv("X_B3_SPANID", "b7ad6b7169203331", 1), 0);
  CHECK_EQ(setenv("baggage", "tenant=lower", 1), 0);
  cctx *ctx = extract_environment(CCTX_FIELD_B3_MULTI, NULL);
  check_text(ctx, "span_id", "b7ad6b7169203331");
  CHECK(cctx_metadata(ctx, "tenant", NULL) == NULL);
  cctx_unref(ctx);
}

TEST(the_environment_is_a_carrier) {
  struct cctx_extracted report;
  char deadline[64];
  if (cctx_boot_deadline_format(cctx_deadline_after(CCTX_SECOND), deadline,
                                sizeof deadline) != 0)
    SKIP("no boot id here");
  CHECK_EQ(setenv("TRACEPARENT", TRACEPARENT, 1), 0);
  CHECK_EQ(setenv("BAGGAGE", "tenant=acme", 1), 0);
  CHECK_EQ(setenv("CCTX_DEADLINE", deadline, 1), 0);
  cctx *ctx = extract_environment(0, &report);
  check_text(ctx, "span_id", "b7ad6b7169203331");
  CHECK_STR(cctx_metadata(ctx, "tenant", NULL), "acme");
  CHECK(cctx_remaining(ctx) <= CCTX_SECOND);
  CHECK_EQ(report.refused, 0);
  cctx_unref(ctx);
}

TEST(a_relative_timeout_is_not_read_from_the_environment) {
  unsetenv("CCTX_DEADLINE");
  CHECK_EQ(setenv("GRPC_TIMEOUT", "1S", 1), 0);
  cctx *ctx = extract_environment(CCTX_FIELD_GRPC_TIMEOUT, NULL);
  CHECK_EQ(cctx_deadline(ctx), CCTX_NEVER);
  cctx_unref(ctx);
}
