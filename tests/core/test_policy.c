/* SPDX-License-Identifier: Apache-2.0 */
/* Policies: what is taken from whom, what is sent to whom, and what hostile carriers cost. */
#include <pthread.h>

#include "bag.h"
#include "check.h"

#define TRACEPARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static enum cctx_metadata_scope scope_of(const cctx *ctx, const char *name) {
  struct cctx_metadata_pair pair;
  for (size_t i = 0; cctx_metadata_at(ctx, i, &pair) == 0; i++)
    if (strcmp(pair.name, name) == 0) return pair.scope;
  return (enum cctx_metadata_scope)99;
}

/* ---- Ingress ---- */

TEST(a_stranger_says_its_trace_and_a_deadline_that_is_cut) {
  struct cctx_policy policy = cctx_policy_for(CCTX_FORMAT_STRANGER);
  struct cctx_carrier_counts counts = {0};
  struct cctx_extracted report;
  struct bag bag = {0};
  policy.counts = &counts;
  policy.read |= CCTX_FIELD_METAINFO;
  policy.allow = (const char *const[]){NULL};
  cctx_clock_set(0);
  bag_add(&bag, "traceparent", TRACEPARENT);
  bag_add(&bag, "baggage", "tenant=acme");
  bag_add(&bag, "rpc-persist-tenant", "acme");
  bag_add(&bag, "grpc-timeout", "1H");
  cctx *ctx = bag_extract(&bag, &policy, &report);
  CHECK_EQ(report.trace.trace_id[0], 0x0a);
  CHECK_EQ(cctx_metadata_count(ctx), 0);
  CHECK_EQ(cctx_deadline(ctx), 30 * CCTX_SECOND);
  CHECK_EQ(counts.not_allowed, 1);
  CHECK_EQ(counts.cut, 1);
  CHECK_EQ(report.refused, 1);
  bag_empty(&bag);
  cctx_unref(ctx);
}

TEST(a_deadline_with_next_to_nothing_left_has_passed) {
  struct cctx_policy policy = cctx_policy_for(CCTX_FORMAT_STRANGER);
  struct cctx_carrier_counts counts = {0};
  struct bag bag = {0};
  policy.counts = &counts;
  cctx_clock_set(0);
  bag_add(&bag, "grpc-timeout", "5m");
  cctx *ctx = bag_extract(&bag, &policy, NULL);
  CHECK_EQ(cctx_err(ctx), CCTX_EDEADLINE);
  CHECK_EQ(counts.expired, 1);
  bag_empty(&bag);
  cctx_unref(ctx);
}

TEST(the_earliest_deadline_of_all_fields_holds) {
  struct cctx_policy policy = cctx_policy_for(CCTX_FORMAT_HTTP);
  struct bag bag = {0};
  cctx_clock_set(0);
  policy.read |= CCTX_FIELD_TIMEOUT;
  policy.timeout = (struct cctx_timeout_field){"x-request-timeout", CCTX_SECOND, 0};
  bag_add(&bag, "grpc-timeout", "9S");
  bag_add(&bag, "Grpc-Timeout", "8S");
  bag_add(&bag, "connect-timeout-ms", "7000");
  bag_add(&bag, "x-envoy-expected-rq-timeout-ms", "0");
  cctx *ctx = bag_extract(&bag, &policy, NULL);
  CHECK_EQ(cctx_deadline(ctx), 7 * CCTX_SECOND);
  cctx_unref(ctx);
  bag_add(&bag, "X-Request-Timeout", "6.25");
  ctx = bag_extract(&bag, &policy, NULL);
  CHECK_EQ(cctx_deadline(ctx), 6250 * CCTX_MILLISECOND);
  bag_empty(&bag);
  cctx_unref(ctx);
}

/* S55: */
TEST(names_are_renamed_then_allowed) {
  static const char *const allow[] = {"tenant", "app-*", NULL};
  static const struct cctx_rename renames[] = {{"org", "tenant"}, {NULL, NULL}};
  struct cctx_policy policy = cctx_policy_for(CCTX_FORMAT_HTTP);
  struct cctx_carrier_counts counts = {0};
  struct bag bag = {0};
  policy.allow = policy.send = allow;
  policy.renames = renames;
  policy.counts = &counts;
  bag_add(&bag, "baggage", "org=acme,user=ada,app-x=1,app=2");
  cctx *ctx = bag_extract(&bag, &policy, NULL);
  CHECK_STR(cctx_metadata(ctx, "tenant", NULL), "acme");
  CHECK_STR(cctx_metadata(ctx, "app-x", NULL), "1");
  CHECK_EQ(cctx_metadata_count(ctx), 2);
  CHECK_EQ(counts.not_allowed, 2);
  bag_empty(&bag);

  const struct cctx_metadata_pair secret = {CCTX_REQUEST, "secret", "s", 1};
  cctx *more = NULL;
  CHECK_EQ(cctx_with_metadata(&more, ctx, &secret, 1, NULL), 0);
  CHECK_EQ(bag_inject(more, &bag, &policy), 0);
  CHECK_STR(bag_get(&bag, "baggage"), "org=acme,app-x=1");
  CHECK_EQ(counts.withheld, 1);
  bag_empty(&bag);
  cctx_unref(more);
  cctx_unref(ctx);
}

TEST(a_policy_has_budgets_of_its_own) {
  struct cctx_policy policy = cctx_policy_for(CCTX_FORMAT_HTTP);
  struct cctx_extracted report;
  struct bag bag = {0};
  policy.pairs_max = 2;
  bag_add(&bag, "baggage", "a=1,b=2,c=3,a=4");
  cctx *ctx = bag_extract(&bag, &policy, &report);
  CHECK_EQ(report.pairs, 2);
  CHECK_EQ(report.refused, 1);
  CHECK_STR(cctx_metadata(ctx, "a", NULL), "4");
  cctx_unref(ctx);
  policy.pairs_max = 0;
  policy.bytes_max = 5;
  ctx = bag_extract(&bag, &policy, &report);
  CHECK_EQ(report.pairs, 2); /* c, and the second a, which is no longer than the first */
  bag_empty(&bag);
  bag_add(&bag, "baggage", "a=1,a=12345,b=22");
  cctx_unref(ctx);
  ctx = bag_extract(&bag, &policy, &report);
  CHECK_STR(cctx_metadata(ctx, "a", NULL), "1");
  CHECK_STR(cctx_metadata(ctx, "b", NULL), "22");
  bag_empty(&bag);
  cctx_unref(ctx);
}

/* ---- Who wins ---- */

TEST(what_is_for_every_hop_wins_over_what_was_for_this_one) {
  struct cctx_policy policy = cctx_policy_for(CCTX_FORMAT_HTTP);
  struct cctx_carrier_counts counts = {0};
  struct bag bag = {0};
  policy.read |= CCTX_FIELD_METAINFO | CCTX_FIELD_METAINFO_MAP | CCTX_FIELD_METADATA;
  policy.counts = &counts;
  bag_add(&bag, "cctx-transit-.k", "exact%20transit");
  bag_add(&bag, "RPC_TRANSIT_K", "transit of a map");
  bag_add(&bag, "rpc-transit-k", "transit");
  bag_add(&bag, "RPC_TRANSIT_UPSTREAM_K", "of two hops ago");
  cctx *ctx = bag_extract(&bag, &policy, NULL);
  CHECK_STR(cctx_metadata(ctx, "K", NULL), "exact transit");
  CHECK_EQ(scope_of(ctx, "K"), CCTX_UPSTREAM);
  CHECK_EQ(counts.hidden, 3);
  cctx_unref(ctx);
  bag_add(&bag, "baggage", "K=baggage");
  ctx = bag_extract(&bag, &policy, NULL);
  CHECK_STR(cctx_metadata(ctx, "K", NULL), "baggage");
  CHECK_EQ(scope_of(ctx, "K"), CCTX_REQUEST);
  cctx_unref(ctx);
  bag_add(&bag, "rpc-persist-k", "persist");
  ctx = bag_extract(&bag, &policy, NULL);
  CHECK_STR(cctx_metadata(ctx, "K", NULL), "persist");
  cctx_unref(ctx);
  bag_add(&bag, "RPC_PERSIST_K", "persist of a map");
  ctx = bag_extract(&bag, &policy, NULL);
  CHECK_STR(cctx_metadata(ctx, "K", NULL), "persist of a map");
  cctx_unref(ctx);
  bag_add(&bag, "cctx-persist-.k", "exact%20persist");
  ctx = bag_extract(&bag, &policy, NULL);
  CHECK_STR(cctx_metadata(ctx, "K", NULL), "exact persist");
  cctx_unref(ctx);
  bag_empty(&bag);
}

TEST(the_first_valid_trace_of_w3c_and_b3_holds) {
  struct cctx_policy policy = {.read =
                                   CCTX_FIELD_TRACE | CCTX_FIELD_B3 | CCTX_FIELD_B3_MULTI};
  struct cctx_extracted report;
  struct bag bag = {0};
  bag_add(&bag, "x-b3-traceid", "33333333333333333333333333333333");
  bag_add(&bag, "x-b3-spanid", "3333333333333333");
  cctx_unref(bag_extract(&bag, &policy, &report));
  CHECK_EQ(report.trace.trace_id[0], 0x33);
  CHECK_EQ(report.trace.flags, CCTX_TRACE_DEFERRED);
  bag_add(&bag, "b3", "2222222222222222-2222222222222222-d");
  cctx_unref(bag_extract(&bag, &policy, &report));
  CHECK_EQ(report.trace.trace_id[0], 0);
  CHECK_EQ(report.trace.trace_id[8], 0x22);
  CHECK_EQ(report.trace.flags, CCTX_TRACE_SAMPLED | CCTX_TRACE_DEBUG);
  bag_add(&bag, "traceparent", "00-nonsense");
  cctx_unref(bag_extract(&bag, &policy, &report));
  CHECK_EQ(report.trace.trace_id[8], 0x22);
  CHECK_EQ(report.refused, 1);
  bag_remove(&bag, bag_find(&bag, "traceparent"));
  bag_add(&bag, "traceparent", TRACEPARENT);
  cctx_unref(bag_extract(&bag, &policy, &report));
  CHECK_EQ(report.trace.trace_id[0], 0x0a);
  bag_empty(&bag);
}

TEST(two_traceparents_are_none) {
  struct cctx_extracted report;
  struct bag bag = {0};
  bag_add(&bag, "traceparent", TRACEPARENT);
  bag_add(&bag, "Traceparent", TRACEPARENT);
  bag_add(&bag, "tracestate", "a=1");
  cctx *ctx = bag_extract(&bag, NULL, &report);
  cctx_variant value;
  CHECK_EQ(report.trace.trace_id[0], 0);
  CHECK_EQ(report.refused, 1);
  CHECK_EQ(cctx_value(ctx, cctx_key_find("tracestate"), &value), CCTX_ENOTFOUND);
  bag_empty(&bag);
  cctx_unref(ctx);
}

/* ---- Answers ---- */

TEST(an_answer_carries_pairs_for_the_caller_and_nothing_else) {
  static const enum cctx_direction ways[] = {CCTX_BACKWARD, CCTX_BACKWARD_TRANSIT,
                                             CCTX_BACKWARD_RAW};
  static const char *const names[] = {"rpc-backward-cost", "rpc-transit-cost", "COST"};
  static const char *const allow[] = {"COST", NULL};
  const struct cctx_metadata_pair pairs[] = {{CCTX_HOP, "COST", "7", 1},
                                             {CCTX_REQUEST, "TENANT", "acme", 4}};
  cctx *ctx = bag_context(pairs, 2), *canceled = cctx_with_cancel(ctx);
  cctx_cancel(canceled, "answered");
  for (size_t i = 0; i < 3; i++) {
    struct cctx_policy policy = cctx_policy_for(CCTX_FORMAT_METAINFO);
    struct bag bag = {0};
    policy.direction = ways[i];
    policy.allow = allow;
    CHECK_EQ(bag_inject(canceled, &bag, &policy), 0);
    CHECK_EQ(bag.n, 1);
    CHECK_STR(bag_get(&bag, names[i]), "7");
    cctx *answer = bag_extract(&bag, &policy, NULL);
    CHECK_STR(cctx_metadata(answer, "COST", NULL), "7");
    CHECK_EQ(scope_of(answer, "COST"), CCTX_UPSTREAM);
    cctx_unref(answer);
    policy.allow = NULL;
    answer = bag_extract(&bag, &policy, NULL);
    CHECK_EQ(cctx_metadata_count(answer), ways[i] == CCTX_BACKWARD_RAW ? 0 : 1);
    cctx_unref(answer);
    bag_empty(&bag);
  }
  cctx_unref(canceled);
  cctx_unref(ctx);
}

/* ---- Queues ---- */

static int64_t read_expires(const char *text, int64_t wall,
                            struct cctx_carrier_counts *counts) {
  struct cctx_policy policy = cctx_policy_for(CCTX_FORMAT_QUEUE);
  struct bag bag = {0};
  policy.wall = wall * CCTX_SECOND;
  policy.counts = counts;
  cctx_clock_set(0);
  bag_add(&bag, "cctx-expires", text);
  cctx *ctx = bag_extract(&bag, &policy, NULL);
  int64_t deadline = cctx_deadline(ctx);
  bag_empty(&bag);
  cctx_unref(ctx);
  return deadline;
}

TEST(the_wait_in_a_queue_counts_and_clocks_that_differ_do_not) {
  struct cctx_carrier_counts counts = {0};
  const char *ten_seconds = "1000010000;sent=1000000000";
  CHECK_EQ(read_expires(ten_seconds, 1000000, &counts), 10 * CCTX_SECOND);
  CHECK_EQ(read_expires(ten_seconds, 1000004, &counts), 6 * CCTX_SECOND);
  CHECK_EQ(read_expires(ten_seconds, 1000020, &counts), -10 * CCTX_SECOND);
  CHECK_EQ(read_expires(ten_seconds, 1000000 - 30, &counts), 10 * CCTX_SECOND);
  CHECK_EQ(counts.skewed, 0);
  CHECK_EQ(read_expires(ten_seconds, 1000000 - 90, &counts), 10 * CCTX_SECOND);
  CHECK_EQ(counts.skewed, 1);
  CHECK_EQ(counts.malformed, 0);
  CHECK_EQ(read_expires("1000010000", 1000000, &counts), CCTX_NEVER);
  CHECK_EQ(read_expires("1000010000;sent=", 1000000, &counts), CCTX_NEVER);
  CHECK_EQ(read_expires("1000010000;sent=1 ;x", 1000000, &counts), CCTX_NEVER);
  CHECK_EQ(read_expires("-1;sent=-2", 1000000, &counts), CCTX_NEVER);
  CHECK_EQ(read_expires("9999999999999999;sent=0", 1000000, &counts), CCTX_NEVER);
  CHECK_EQ(counts.malformed, 5);
}

/* ---- Hostile carriers ---- */

struct flood {
  struct cctx_field field;
  size_t n, asked;
};

static bool flood_at(void *arg, size_t i, struct cctx_field *out) {
  struct flood *flood = arg;
  flood->asked++;
  *out = flood->field;
  return i < flood->n;
}

/* Every field of `size` bytes, a hundred thousand times. */
static void check_flood(const char *name, const char *text, size_t size) {
  struct cctx_policy policy = {.read = ~0u, .timeout = {"x-timeout", CCTX_SECOND, 0}};
  struct cctx_carrier_counts counts = {0};
  char *value = malloc(size);
  struct flood flood = {{name, strlen(name), value, size}, 100000, 0};
  struct cctx_carrier carrier = {.at = flood_at, .arg = &flood};
  cctx *ctx = NULL;
  for (size_t i = 0; i < size; i++) value[i] = text[i % strlen(text)];
  policy.counts = &counts;
  CHECK_EQ(cctx_extract(&ctx, cctx_background(), &carrier, &policy, NULL), 0);
  CHECK(counts.too_big > 0);
  CHECK(flood.asked < 50 * CCTX_FIELDS_MAX);
  CHECK(cctx_metadata_count(ctx) <= CCTX_METADATA_PAIRS_MAX);
  cctx_unref(ctx);
  free(value);
}

TEST(a_flood_of_large_fields_costs_what_is_bounded) {
  static const char *const names[] = {
      "traceparent",       "tracestate",    "baggage",      "b3",
      "x-b3-traceid",      "rpc-persist-x", "rpc-transit-", "RPC_TRANSIT_UPSTREAM_Y",
      "cctx-persist-a.b",  "grpc-timeout",  "x-timeout",    "cctx-expires",
      "connect-timeout-ms"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    check_flood(names[i], "a=1,", 10 << 20);
    check_flood(names[i], ",", 8000);
    check_flood(names[i], "9", 100);
  }
}

TEST(a_hundred_thousand_members_are_bounded) {
  size_t size = 1000000;
  struct cctx_extracted report;
  char *text = malloc(size + 1);
  for (size_t i = 0; i < size; i += 10)
    snprintf(text + i, 11, "k%06zu=1,", i / 10 % 1000000);
  struct cctx_field field = {"baggage", 7, text, 8190};
  struct cctx_fields fields = {&field, 1};
  struct cctx_carrier carrier = cctx_fields_carrier(&fields);
  cctx *ctx = NULL;
  CHECK_EQ(cctx_extract(&ctx, cctx_background(), &carrier, NULL, &report), 0);
  CHECK_EQ(report.pairs, CCTX_BAGGAGE_MEMBERS_MAX);
  CHECK_EQ(report.refused, 819 - CCTX_BAGGAGE_MEMBERS_MAX);
  cctx_unref(ctx);
  field.len = size;
  CHECK_EQ(cctx_extract(&ctx, cctx_background(), &carrier, NULL, &report), 0);
  CHECK_EQ(report.pairs, 0);
  CHECK_EQ(report.refused, 1);
  cctx_unref(ctx);
  free(text);
}

TEST(hostile_names_are_refused_and_the_rest_is_taken) {
  struct cctx_policy policy = {.read = ~0u};
  struct cctx_carrier_counts counts = {0};
  static char long_name[3000], exact[1000];
  memset(long_name, 'x', sizeof long_name);
  memcpy(long_name, "rpc-persist-", 12);
  memset(exact, 'y', sizeof exact);
  memcpy(exact, "cctx-persist-", 13);
  struct cctx_field at[] = {
      {long_name, sizeof long_name, "1", 1},
      {exact, 13 + 256, "1", 1},
      {exact, sizeof exact, "1", 1},
      {exact, 13 + 255, "longest", 7},
      {"RPC_PERSIST_a\0b", 15, "1", 1},
      {"RPC_PERSIST_\xff\xfe", 14, "1", 1},
      {"RPC_PERSIST_a b", 15, "1", 1},
      {"RPC_PERSIST_", 12, "1", 1},
      {"cctx-persist-a.", 15, "1", 1},
      {"cctx-persist-.0", 15, "1", 1},
      {"cctx-persist-.00a", 17, "1", 1},
      {"cctx-persist-b", 14, "%", 1},
      {"cctx-persist-c", 14, "%00%ff", 6},
      {"rpc-persist-ok", 14, "a\0b\r\n", 5},
      {"", 0, "", 0},
  };
  struct cctx_fields fields = {at, sizeof at / sizeof *at};
  struct cctx_carrier carrier = cctx_fields_carrier(&fields);
  cctx *ctx = NULL;
  size_t len = 0;
  policy.counts = &counts;
  CHECK_EQ(cctx_extract(&ctx, cctx_background(), &carrier, &policy, NULL), 0);
  CHECK_EQ(cctx_metadata_count(ctx), 3);
  CHECK(cctx_metadata(ctx, "OK", &len) != NULL);
  CHECK_EQ(len, 5);
  CHECK(cctx_metadata(ctx, "c", &len) != NULL);
  CHECK_EQ(len, 2);
  CHECK_EQ(counts.too_big, 1);
  CHECK_EQ(counts.malformed, 9);
  cctx_unref(ctx);
}

TEST(a_value_that_would_break_a_header_is_not_sent_in_one) {
  const struct cctx_metadata_pair pairs[] = {{CCTX_REQUEST, "A", "x\r\nset-cookie: y", 16},
                                             {CCTX_REQUEST, "B", " b", 2},
                                             {CCTX_REQUEST, "C", "", 0},
                                             {CCTX_REQUEST, "D_E", "1", 1},
                                             {CCTX_REQUEST, "d-e", "2", 1},
                                             {CCTX_REQUEST, "F", "caf\xc3\xa9", 5},
                                             {CCTX_HOP, "UPSTREAM_G", "3", 1}};
  struct cctx_policy policy = {.write = CCTX_FIELD_METAINFO};
  struct cctx_carrier_counts counts = {0};
  struct bag bag = {0};
  cctx *ctx = bag_context(pairs, 7);
  policy.counts = &counts;
  CHECK_EQ(bag_inject(ctx, &bag, &policy), 0);
  CHECK_EQ(bag.n, 3);
  CHECK_STR(bag_get(&bag, "rpc-persist-d-e"), "1");
  CHECK_STR(bag_get(&bag, "rpc-persist-f"), "caf\xc3\xa9");
  CHECK_STR(bag_get(&bag, "rpc-transit-upstream-g"), "3");
  CHECK_EQ(counts.unsendable, 4);
  bag_empty(&bag);
  policy.write = CCTX_FIELD_METAINFO_MAP;
  CHECK_EQ(bag_inject(ctx, &bag, &policy), 0);
  /* Not the empty one, nor what would begin a line, nor what a peer would take for upstream's. */
  CHECK_EQ(bag.n, 4);
  CHECK_STR(bag_get(&bag, "RPC_PERSIST_d-e"), "2");
  bag_empty(&bag);
  policy.write = policy.read = CCTX_FIELD_METADATA;
  CHECK_EQ(bag_inject(ctx, &bag, &policy), 0);
  CHECK_EQ(bag.n, 7);
  CHECK_STR(bag_get(&bag, "cctx-persist-.a"), "x%0D%0Aset-cookie%3A%20y");
  CHECK_STR(bag_get(&bag, "cctx-persist-.d.-.e"), "1");
  cctx *again = bag_extract(&bag, &policy, NULL);
  for (size_t i = 0; i < 7; i++) {
    size_t len = 99;
    const char *value = cctx_metadata(again, pairs[i].name, &len);
    CHECK_EQ(len, pairs[i].len);
    CHECK(value && memcmp(value, pairs[i].value, len) == 0);
  }
  cctx_unref(again);
  bag_empty(&bag);
  cctx_unref(ctx);
}

/* ---- Counts ---- */

static void *extract_often(void *policy) {
  struct bag bag = {0};
  bag_add(&bag, "baggage", "a,b,c");
  for (int i = 0; i < 1000; i++) cctx_unref(bag_extract(&bag, policy, NULL));
  bag_empty(&bag);
  return NULL;
}

TEST(counts_are_of_all_threads) {
  struct cctx_carrier_counts counts = {0};
  struct cctx_policy policy = cctx_policy_for(CCTX_FORMAT_HTTP);
  pthread_t threads[4];
  uint64_t value = 0;
  unsigned i;
  policy.counts = &counts;
  for (i = 0; i < 4; i++) pthread_create(&threads[i], NULL, extract_often, &policy);
  CHECK_STR(cctx_carrier_count(&counts, 0, &value), "malformed");
  for (i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  CHECK_STR(cctx_carrier_count(&counts, 0, &value), "malformed");
  CHECK_EQ(value, 12000);
  for (i = 0; cctx_carrier_count(&counts, i, &value); i++) continue;
  CHECK_EQ(i, sizeof counts / sizeof(uint64_t));
}

TEST(words_name_each_field_and_format_once) {
  unsigned bit = 0, all = 0, i;
  for (i = 0; cctx_field_word(i, &bit); i++) {
    CHECK_EQ(all & bit, 0);
    all |= bit;
  }
  CHECK_EQ(i, 14);
  CHECK_STR(cctx_field_word(0, &bit), "traceparent");
  CHECK_EQ(bit, CCTX_FIELD_TRACE);
  CHECK_STR(cctx_format_word(CCTX_FORMAT_HTTP), "http");
  CHECK_STR(cctx_format_word(CCTX_FORMAT_QUEUE), "queue");
  CHECK(cctx_format_word(-1) == NULL);
  CHECK(cctx_format_word(CCTX_FORMAT_QUEUE + 1) == NULL);
}
