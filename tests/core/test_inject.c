/* SPDX-License-Identifier: Apache-2.0 */
/* Inject: what a context says to the next process, and what stays here. */
#include "bag.h"
#include "check.h"

#define TRACEPARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static const struct cctx_metadata_pair pairs[] = {
    {CCTX_REQUEST, "tenant", "acme", 4},
    {CCTX_HOP, "attempt", "2", 1},
    {CCTX_UPSTREAM, "caller", "edge", 4},
    {CCTX_REQUEST, "user", "ada l", 5},
};

static cctx *with_all(void) {
  struct bag bag = {0};
  bag_add(&bag, "traceparent", TRACEPARENT);
  bag_add(&bag, "tracestate", "a=1 , b=2,");
  cctx *traced = bag_extract(&bag, NULL, NULL), *known = NULL, *ctx;
  CHECK_EQ(cctx_with_metadata(&known, traced, pairs, 4, NULL), 0);
  ctx = cctx_with_timeout(known, 1500 * CCTX_MILLISECOND);
  cctx_unref(known);
  cctx_unref(traced);
  bag_empty(&bag);
  return ctx;
}

TEST(what_is_sent_is_the_trace_the_request_and_the_time_left) {
  struct bag bag = {0};
  cctx_clock_set(0);
  cctx *ctx = with_all();
  CHECK_EQ(bag_inject(ctx, &bag, NULL), 0);
  CHECK_STR(bag_get(&bag, "traceparent"), TRACEPARENT);
  CHECK_STR(bag_get(&bag, "tracestate"), "a=1,b=2");
  CHECK_STR(bag_get(&bag, "baggage"), "tenant=acme,user=ada%20l");
  CHECK_STR(bag_get(&bag, "grpc-timeout"), "1500000u");
  CHECK_EQ(bag.n, 4);
  bag_empty(&bag);
  cctx_finish(ctx);
}

/* S54: */
TEST(what_another_request_left_is_removed) {
  struct bag bag = {0};
  bag_add(&bag, "Traceparent", TRACEPARENT);
  bag_add(&bag, "BAGGAGE", "tenant=globex");
  bag_add(&bag, "grpc-timeout", "1S");
  bag_add(&bag, "accept", "text/plain");
  CHECK_EQ(bag_inject(cctx_background(), &bag, NULL), 0);
  CHECK_EQ(bag.n, 1);
  CHECK_STR(bag_get(&bag, "accept"), "text/plain");
  bag_empty(&bag);
}

TEST(what_another_request_left_is_removed_also_under_a_very_long_name) {
  struct cctx_policy policy = cctx_policy_for(CCTX_FORMAT_METAINFO);
  struct bag bag = {0};
  char name[8000] = "rpc-persist-";
  size_t len = strlen(name);
  memset(name + len, 'x', sizeof name - 1 - len);
  bag_add(&bag, name, "of another");
  CHECK_EQ(bag_inject(cctx_background(), &bag, &policy), 0);
  CHECK_EQ(bag.n, 0);
  bag_empty(&bag);
}

/* S53: */
TEST(a_context_that_is_done_is_not_sent) {
  struct bag bag = {0};
  cctx_clock_set(0);
  cctx *late = cctx_with_timeout(cctx_background(), 0);
  cctx *canceled = cctx_with_cancel(cctx_background());
  cctx *detached = cctx_detached(canceled, 0);
  cctx_cancel(canceled, "enough");
  CHECK_EQ(bag_inject(late, &bag, NULL), CCTX_EDEADLINE);
  CHECK_EQ(bag_inject(canceled, &bag, NULL), CCTX_ECANCELED);
  CHECK_EQ(bag.n, 0);
  CHECK_EQ(bag_inject(detached, &bag, NULL), 0);
  bag_empty(&bag);
  cctx_unref(detached);
  cctx_finish(canceled);
  cctx_finish(late);
}

/* S51: */
TEST(what_is_injected_is_extracted_on_the_other_side) {
  struct bag bag = {0};
  cctx_variant value;
  cctx_clock_set(0);
  cctx *ctx = with_all(), *again;
  CHECK_EQ(bag_inject(ctx, &bag, NULL), 0);
  again = bag_extract(&bag, NULL, NULL);
  CHECK_EQ(cctx_value(again, cctx_key_find("trace_id"), &value), 0);
  CHECK_STR(value.as.s.bytes, "0af7651916cd43dd8448eb211c80319c");
  CHECK_STR(cctx_metadata(again, "user", NULL), "ada l");
  CHECK_EQ(cctx_metadata_count(again), 2);
  CHECK_EQ(cctx_deadline(again), cctx_deadline(ctx));
  bag_empty(&bag);
  cctx_unref(again);
  cctx_finish(ctx);
}

/* S52: */
TEST(what_was_sent_for_one_hop_is_upstream_there_and_goes_no_further) {
  struct cctx_policy policy = cctx_policy_for(CCTX_FORMAT_METAINFO_MAP);
  struct cctx_metadata_pair pair;
  struct bag bag = {0};
  cctx_clock_set(0);
  cctx *ctx = with_all(), *next;
  CHECK_EQ(bag_inject(ctx, &bag, &policy), 0);
  CHECK_STR(bag_get(&bag, "RPC_TRANSIT_attempt"), "2");
  next = bag_extract(&bag, &policy, NULL);
  bag_empty(&bag);
  for (size_t i = 0; cctx_metadata_at(next, i, &pair) == 0; i++)
    CHECK_EQ(pair.scope, strcmp(pair.name, "attempt") == 0 ? CCTX_UPSTREAM : CCTX_REQUEST);
  CHECK_STR(cctx_metadata(next, "attempt", NULL), "2");
  CHECK_EQ(bag_inject(next, &bag, &policy), 0);
  CHECK(bag_get(&bag, "RPC_TRANSIT_attempt") == NULL);
  CHECK_EQ(bag.n, 2);
  bag_empty(&bag);
  cctx_unref(next);
  cctx_finish(ctx);
}

/* CGI has one character for all that is no letter and no digit. */
TEST(two_names_that_a_carrier_takes_for_one_are_sent_once_and_counted) {
  static const struct cctx_metadata_pair alike[] = {{CCTX_REQUEST, "a.b", "1", 1},
                                                    {CCTX_REQUEST, "a_b", "2", 1},
                                                    {CCTX_REQUEST, "ab", "3", 1}};
  struct cctx_policy policy = cctx_policy_for(CCTX_FORMAT_METAINFO);
  struct cctx_carrier_counts counts = {0};
  struct bag cgi = {0}, http = {0};
  cctx *ctx = bag_context(alike, 3);
  policy.counts = &counts;
  policy.write = CCTX_FIELD_METAINFO;
  CHECK_EQ(bag_inject(ctx, &http, &policy), 0);
  CHECK_EQ(http.n, 3);
  CHECK_EQ(counts.unsendable, 0);
  policy.names = CCTX_NAMES_CGI;
  CHECK_EQ(bag_inject(ctx, &cgi, &policy), 0);
  CHECK_EQ(cgi.n, 2);
  CHECK_STR(bag_get(&cgi, "HTTP_RPC_PERSIST_A_B"), "1");
  CHECK_EQ(counts.unsendable, 1);
  bag_empty(&cgi);
  bag_empty(&http);
  cctx_unref(ctx);
}

/* ---- Metainfo ---- */

/* What a context with these pairs sends to `bag` over HTTP; how many could not be sent. */
static uint64_t inject_metainfo(const struct cctx_metadata_pair *sent, size_t n,
                                struct bag *bag) {
  struct cctx_policy policy = {.write = CCTX_FIELD_METAINFO};
  struct cctx_carrier_counts counts = {0};
  cctx *ctx = bag_context(sent, n);
  policy.counts = &counts;
  CHECK_EQ(bag_inject(ctx, bag, &policy), 0);
  cctx_unref(ctx);
  return counts.unsendable;
}

TEST(a_name_of_any_length_loses_its_case_and_underscores) {
  static const char from[] = "!#$%&'*+-.09AMZ^_`amz|~", to[] = "!#$%&'*+-.09amz^-`amz|~";
  for (size_t len = 1; len <= CCTX_METADATA_NAME_MAX; len++) {
    char name[CCTX_METADATA_NAME_MAX + 1] = "", sent[CCTX_METADATA_NAME_MAX + 13];
    struct cctx_metadata_pair pair = {CCTX_REQUEST, name, "1", 1};
    struct bag bag = {0};
    memset(sent, 0, sizeof sent);
    memcpy(sent, "rpc-persist-", 12);
    for (size_t i = 0; i < len; i++) {
      name[i] = from[(i + len) % (sizeof from - 1)];
      sent[12 + i] = to[(i + len) % (sizeof to - 1)];
    }
    CHECK_EQ(inject_metainfo(&pair, 1, &bag), 0);
    CHECK_STR(bag.n == 1 ? bag.names[0] : "", sent);
    bag_empty(&bag);
  }
}

static bool breaks_header(unsigned char byte, bool at_an_end) {
  if (byte == '\t' || byte == ' ') return at_an_end;
  return byte < ' ' || byte == 0x7f;
}

TEST(one_byte_anywhere_keeps_a_value_out_of_a_header) {
  for (size_t len = 1; len <= 13; len++)
    for (size_t at = 0; at < len; at++)
      for (unsigned byte = 0; byte < 256; byte++) {
        char value[] = "~!~\xff! ~\x80~\t~!~~";
        struct cctx_metadata_pair pair = {CCTX_REQUEST, "a", value, len};
        struct bag bag = {0};
        value[len - 1] = '~';
        value[len] = '\0';
        value[at] = (char)byte;
        bool breaks = breaks_header((unsigned char)byte, at == 0 || at == len - 1);
        CHECK_EQ(inject_metainfo(&pair, 1, &bag), breaks);
        CHECK_EQ(bag.n, !breaks);
        if (!breaks) CHECK_STR(bag.values[0], value);
        bag_empty(&bag);
      }
}

TEST(of_names_that_are_alike_the_first_is_sent_however_many_there_are) {
  struct cctx_metadata_pair many[CCTX_METADATA_PAIRS_MAX];
  char names[CCTX_METADATA_PAIRS_MAX][9];
  struct bag bag = {0};
  for (unsigned i = 0; i < CCTX_METADATA_PAIRS_MAX; i++) {
    for (unsigned bit = 0; bit < 8; bit++) names[i][bit] = i >> bit & 1 ? 'x' : 'X';
    names[i][8] = '\0';
    many[i] = (struct cctx_metadata_pair){CCTX_REQUEST, names[i], i ? "2" : "1", 1};
  }
  CHECK_EQ(inject_metainfo(many, CCTX_METADATA_PAIRS_MAX, &bag),
           CCTX_METADATA_PAIRS_MAX - 1);
  CHECK_EQ(bag.n, 1);
  CHECK_STR(bag_get(&bag, "rpc-persist-xxxxxxxx"), "1");
  bag_empty(&bag);
}

TEST(a_name_is_sent_though_its_like_could_not_be) {
  struct cctx_metadata_pair many[CCTX_METADATA_PAIRS_MAX];
  char names[CCTX_METADATA_PAIRS_MAX][16];
  struct bag bag = {0};
  for (unsigned i = 0; i < CCTX_METADATA_PAIRS_MAX; i++) {
    bool fit = i >= CCTX_METADATA_PAIRS_MAX / 2;
    snprintf(names[i], sizeof names[i], "%cttempt-of-%u", fit ? 'a' : 'A',
             i % (CCTX_METADATA_PAIRS_MAX / 2));
    many[i] = (struct cctx_metadata_pair){CCTX_REQUEST, names[i], fit ? "1" : "\n", 1};
  }
  CHECK_EQ(inject_metainfo(many, CCTX_METADATA_PAIRS_MAX, &bag),
           CCTX_METADATA_PAIRS_MAX / 2);
  CHECK_EQ(bag.n, CCTX_METADATA_PAIRS_MAX / 2);
  bag_empty(&bag);
}

TEST(what_set_returns_ends_it) {
  struct bag bag = {.fail = -77};
  CHECK_EQ(bag_inject(cctx_background(), &bag, NULL), -77);
  CHECK_EQ(bag.n, 0);
}

TEST(an_id_that_is_no_id_is_not_sent) {
  struct cctx_carrier_counts counts = {0};
  struct cctx_policy policy = cctx_policy_for(CCTX_FORMAT_HTTP);
  const struct cctx_entry entries[] = {
      {cctx_key_named("trace_id"), cctx_text("0af7651916cd43dd8448eb211c80319C")},
      {cctx_key_named("span_id"), cctx_text("b7ad6b7169203331")}};
  struct bag bag = {0};
  cctx *ctx = cctx_with_values(cctx_background(), entries, 2);
  policy.counts = &counts;
  CHECK_EQ(bag_inject(ctx, &bag, &policy), 0);
  CHECK_EQ(bag.n, 0);
  CHECK_EQ(counts.unsendable, 1);
  bag_empty(&bag);
  cctx_unref(ctx);
}

TEST(the_value_of_a_secret_key_is_not_sent) {
  struct bag bag = {0};
  cctx_clock_set(0);
  cctx *ctx = with_all();
  cctx_key_named("tracestate")->flags = CCTX_KEY_SECRET;
  CHECK_EQ(bag_inject(ctx, &bag, NULL), 0);
  cctx_key_named("tracestate")->flags = 0;
  CHECK(bag_get(&bag, "tracestate") == NULL);
  CHECK_STR(bag_get(&bag, "traceparent"), TRACEPARENT);
  bag_empty(&bag);
  cctx_finish(ctx);
}

TEST(a_tracer_names_its_span_by_the_value) {
  struct bag bag = {0};
  cctx_clock_set(0);
  cctx *ctx = with_all();
  cctx *span =
      cctx_with_value(ctx, cctx_key_named("span_id"), cctx_text("00000000000000ff"));
  CHECK_EQ(bag_inject(span, &bag, NULL), 0);
  CHECK_STR(bag_get(&bag, "traceparent"),
            "00-0af7651916cd43dd8448eb211c80319c-00000000000000ff-01");
  bag_empty(&bag);
  cctx_unref(span);
  cctx_finish(ctx);
}

TEST(the_state_of_an_outer_trace_does_not_go_with_an_inner_one) {
  struct bag bag = {0};
  cctx_clock_set(0);
  cctx *outer = with_all(), *inner = NULL;
  struct cctx_field field = {"traceparent", 11,
                             "00-11111111111111111111111111111111-2222222222222222-00", 55};
  struct cctx_fields fields = {&field, 1};
  struct cctx_carrier carrier = cctx_fields_carrier(&fields);
  CHECK_EQ(cctx_extract(&inner, outer, &carrier, NULL, NULL), 0);
  CHECK_EQ(bag_inject(inner, &bag, NULL), 0);
  CHECK(bag_get(&bag, "tracestate") == NULL);
  CHECK_STR(bag_get(&bag, "traceparent"), field.value);
  bag_empty(&bag);
  cctx_unref(inner);
  cctx_finish(outer);
}

TEST(the_environment_of_a_child_process_gets_upper_case_and_no_relative_time) {
  struct cctx_policy policy = cctx_policy_for(CCTX_FORMAT_ENVIRONMENT);
  struct bag bag = {0};
  char boot[64];
  cctx *ctx = with_all();
  policy.write |= CCTX_FIELD_GRPC_TIMEOUT;
  bag_add(&bag, "PATH", "/bin");
  bag_add(&bag, "BAGGAGE", "tenant=globex");
  CHECK_EQ(bag_inject(ctx, &bag, &policy), 0);
  CHECK_STR(bag_get(&bag, "TRACEPARENT"), TRACEPARENT);
  CHECK_STR(bag_get(&bag, "BAGGAGE"), "tenant=acme,user=ada%20l");
  CHECK(bag_get(&bag, "GRPC_TIMEOUT") == NULL);
  CHECK(bag_get(&bag, "PATH") != NULL);
  if (cctx_boot_deadline_format(cctx_deadline(ctx), boot, sizeof boot) == 0) {
    cctx *child = bag_extract(&bag, &policy, NULL);
    CHECK(bag_get(&bag, "CCTX_DEADLINE") != NULL);
    CHECK(cctx_remaining(child) <= cctx_remaining(ctx) + CCTX_SECOND);
    CHECK(cctx_deadline(child) != CCTX_NEVER);
    cctx_unref(child);
  }
  bag_empty(&bag);
  cctx_finish(ctx);
}

/* ---- Baggage ---- */

TEST(baggage_keeps_what_every_reader_must_take) {
  static char names[100][8], value[5000];
  struct cctx_metadata_pair many[100];
  struct cctx_carrier_counts counts = {0};
  struct cctx_policy policy = cctx_policy_for(CCTX_FORMAT_HTTP);
  struct cctx_extracted report;
  struct bag bag = {0};
  memset(value, 'v', sizeof value);
  for (size_t i = 0; i < 100; i++) {
    snprintf(names[i], sizeof names[i], "n%zu", i);
    many[i] = (struct cctx_metadata_pair){CCTX_REQUEST, names[i], value,
                                          i < 3 ? 4500 - i * 1450 : 1};
  }
  policy.counts = &counts;
  cctx *ctx = bag_context(many, 100), *again;
  CHECK_EQ(bag_inject(ctx, &bag, &policy), 0);
  CHECK(strlen(bag_get(&bag, "baggage")) <= 8192);
  again = bag_extract(&bag, NULL, &report);
  CHECK_EQ(report.pairs, 64);
  CHECK_EQ(report.refused, 0);
  CHECK(cctx_metadata(again, "n0", NULL) == NULL); /* over 4096 */
  CHECK(cctx_metadata(again, "n1", NULL) != NULL);
  CHECK_EQ(counts.unsendable, 36);
  bag_empty(&bag);
  cctx_unref(again);
  cctx_unref(ctx);
}

TEST(any_byte_comes_back_out_of_baggage_but_what_is_no_text) {
  const struct cctx_metadata_pair odd = {CCTX_REQUEST, "k", "a,b;c=\"\\ %+\0\r\n\xc3\xa9",
                                         16};
  struct bag bag = {0};
  size_t len = 0;
  cctx *ctx = bag_context(&odd, 1);
  CHECK_EQ(bag_inject(ctx, &bag, NULL), 0);
  CHECK_STR(bag_get(&bag, "baggage"), "k=a%2Cb%3Bc%3D%22%5C%20%25%2B%00%0D%0A%C3%A9");
  cctx *again = bag_extract(&bag, NULL, NULL);
  const char *value = cctx_metadata(again, "k", &len);
  CHECK_EQ(len, odd.len);
  CHECK(value && memcmp(value, odd.value, len) == 0);
  bag_empty(&bag);
  cctx_unref(again);
  cctx_unref(ctx);
}

/* ---- The time left ---- */

static void check_timeout(int64_t timeout, const char *expected) {
  char text[CCTX_GRPC_TIMEOUT_LEN + 1];
  int64_t again;
  CHECK_EQ(cctx_grpc_timeout_format(timeout, text), 0);
  CHECK_STR(text, expected);
  CHECK_EQ(cctx_grpc_timeout_parse(text, strlen(text), &again), 0);
  CHECK(again >= timeout);
}

TEST(a_grpc_timeout_is_in_the_finest_unit_that_fits_and_rounded_up) {
  char text[CCTX_GRPC_TIMEOUT_LEN + 1] = "?";
  check_timeout(1, "1n");
  check_timeout(99999999, "99999999n");
  check_timeout(100000000, "100000u");
  check_timeout(100000001, "100001u");
  check_timeout(CCTX_SECOND, "1000000u");
  check_timeout(100 * CCTX_SECOND, "100000m");
  check_timeout(100000 * CCTX_SECOND + 1, "100001S");
  check_timeout(100000000 * CCTX_SECOND, "1666667M");
  check_timeout(CCTX_NEVER - 1, "2562048H");
  CHECK_EQ(cctx_grpc_timeout_format(0, text), CCTX_EINVAL);
  CHECK_EQ(cctx_grpc_timeout_format(-5, text), CCTX_EINVAL);
  CHECK_EQ(cctx_grpc_timeout_format(CCTX_NEVER, text), CCTX_EINVAL);
  CHECK_STR(text, "?");
}

TEST(each_field_writes_the_time_in_its_own_way) {
  struct cctx_policy policy = {
      .write = CCTX_FIELD_CONNECT_TIMEOUT | CCTX_FIELD_ENVOY_UPSTREAM | CCTX_FIELD_TIMEOUT |
               CCTX_FIELD_EXPIRES,
      .timeout = {"x-request-timeout", CCTX_SECOND, 3},
      .wall = 1700000000 * CCTX_SECOND,
  };
  struct bag bag = {0};
  cctx_clock_set(0);
  cctx *ctx = cctx_with_timeout(cctx_background(), 1234500001);
  CHECK_EQ(bag_inject(ctx, &bag, &policy), 0);
  CHECK_STR(bag_get(&bag, "connect-timeout-ms"), "1235");
  CHECK_STR(bag_get(&bag, "x-envoy-upstream-rq-timeout-ms"), "1235");
  CHECK_STR(bag_get(&bag, "x-request-timeout"), "1.235");
  CHECK_STR(bag_get(&bag, "cctx-expires"), "1700000001235;sent=1700000000000");
  bag_empty(&bag);
  cctx_finish(ctx);
}

TEST(a_deadline_at_the_end_of_time_is_still_one) {
  struct cctx_policy policy = {.write = CCTX_FIELD_CONNECT_TIMEOUT | CCTX_FIELD_EXPIRES |
                                        CCTX_FIELD_GRPC_TIMEOUT | CCTX_FIELD_DEADLINE};
  struct bag bag = {0};
  cctx *ctx = cctx_with_deadline(cctx_background(), CCTX_NEVER - 1);
  CHECK_EQ(bag_inject(ctx, &bag, &policy), 0);
  CHECK_STR(bag_get(&bag, "connect-timeout-ms"), "9999999999");
  bag_empty(&bag);
  cctx_finish(ctx);
}

TEST(nothing_is_allocated) {
  struct cctx_policy policy = cctx_policy_for(CCTX_FORMAT_HTTP);
  struct bag bag = {0};
  cctx *ctx = with_all();
  policy.write = ~0u;
  check_arm(1, true);
  CHECK_EQ(bag_inject(ctx, &bag, &policy), 0);
  CHECK_EQ(check_memory.calls, 0);
  cctx_set_allocator(NULL);
  bag_empty(&bag);
  cctx_finish(ctx);
}
