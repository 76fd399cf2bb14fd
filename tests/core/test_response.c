/* SPDX-License-Identifier: Apache-2.0 */
/* Responses: whose they are, how they merge, when they end. */
#include <cctx.h>

#include <pthread.h>

#include "check.h"

static struct cctx_metadata_pair pair_of(const char *name, const char *value) {
  return (struct cctx_metadata_pair){CCTX_HOP, name, value, value ? strlen(value) : 0};
}

static int set(cctx *ctx, const char *name, const char *value) {
  struct cctx_metadata_pair pair = pair_of(name, value);
  return cctx_response_set(ctx, &pair, 1, NULL);
}

static int receive(cctx *ctx, const char *name, const char *value) {
  struct cctx_metadata_pair pair = pair_of(name, value);
  return cctx_response_receive(ctx, &pair, 1, NULL);
}

/* "a=1 b=2": all that is in the response now. */
static const char *all_of(cctx *ctx) {
  static char text[512];
  struct cctx_metadata_pair pair;
  cctx *response = cctx_response(ctx);
  size_t used = 0;
  text[0] = '\0';
  for (size_t i = 0; cctx_metadata_at(response, i, &pair) == 0; i++) {
    CHECK_EQ(pair.scope, CCTX_HOP);
    used += (size_t)snprintf(text + used, sizeof text - used, "%s%s=%s", i ? " " : "",
                             pair.name, pair.value);
  }
  cctx_unref(response);
  return text;
}

static void begin(cctx_request *request, cctx *parent, bool response) {
  struct cctx_request_options options = {.response = response};
  CHECK_EQ(cctx_request_begin(request, parent, &options), 0);
}

static cctx *call_of(cctx *parent, enum cctx_response_policy policy) {
  cctx *ctx = cctx_with_response(parent, policy);
  CHECK(ctx != NULL);
  return ctx;
}

/* ---- Whose it is ----------------------------------------------------------------- */

/* S41: what a handler sets, wherever it is, the host reads. */
TEST(a_handler_sets_what_the_host_reads) {
  cctx_request request;
  begin(&request, cctx_background(), true);
  cctx *deep = cctx_with_timeout(request.ctx, CCTX_SECOND);
  CHECK_STR(all_of(request.ctx), "");
  CHECK_EQ(set(deep, "cost", "3"), 0);
  CHECK_EQ(set(cctx_current(), "shard", "eu"), 0);
  CHECK_EQ(set(request.ctx, "cost", "4"), 0);
  CHECK_EQ(set(deep, "gone", "1"), 0);
  CHECK_EQ(set(deep, "gone", NULL), 0);
  CHECK_STR(all_of(request.ctx), "cost=4 shard=eu");
  CHECK_STR(all_of(deep), "cost=4 shard=eu");
  CHECK_EQ(cctx_metadata_count(deep), 0); /* it is no metadata of the request */
  cctx_unref(deep);
  cctx_request_end(&request);
}

TEST(where_nobody_takes_a_response_none_is_set) {
  cctx_request request;
  cctx *call = call_of(cctx_background(), CCTX_LAST);
  CHECK_EQ(set(cctx_background(), "a", "1"), CCTX_ENOTFOUND);
  CHECK_EQ(receive(cctx_background(), "a", "1"), CCTX_ENOTFOUND);
  CHECK_EQ(set(call, "a", "1"), CCTX_ENOTFOUND);
  CHECK(cctx_response(cctx_background()) == cctx_background());
  begin(&request, cctx_background(), false);
  CHECK_EQ(set(request.ctx, "a", "1"), CCTX_ENOTFOUND);
  cctx_request_end(&request);
  cctx_unref(call);
}

/* S42: what the other side answers never gets into one's own answer, nor the other way. */
TEST(what_is_received_never_mixes_with_what_is_set) {
  cctx_request request;
  begin(&request, cctx_background(), true);
  CHECK_EQ(receive(request.ctx, "inner", "1"), CCTX_ENOTFOUND);
  cctx *call = call_of(request.ctx, CCTX_LAST), *below = cctx_with_cancel(call);
  CHECK_EQ(receive(below, "inner", "2"), 0);
  CHECK_EQ(set(below, "own", "3"), 0);
  CHECK_STR(all_of(call), "inner=2");
  CHECK_STR(all_of(request.ctx), "own=3");
  cctx_unref(below);
  cctx_unref(call);
  cctx_request_end(&request);
}

/* S42: each call has its own, also one that is made for another. */
TEST(two_calls_never_mix) {
  cctx *one = call_of(cctx_background(), CCTX_LAST);
  cctx *two = call_of(cctx_background(), CCTX_LAST), *within = call_of(one, CCTX_LAST);
  CHECK_EQ(receive(one, "from", "one"), 0);
  CHECK_EQ(receive(two, "from", "two"), 0);
  CHECK_EQ(receive(within, "from", "within"), 0);
  CHECK_STR(all_of(one), "from=one");
  CHECK_STR(all_of(two), "from=two");
  CHECK_STR(all_of(within), "from=within");
  cctx_unref(within);
  cctx_unref(two);
  cctx_unref(one);
}

/* A server in this process, called by a handler: it is not that handler's response. */
TEST(a_request_inside_another_finds_only_its_own) {
  cctx_request outer, inner;
  begin(&outer, cctx_background(), true);
  cctx *call = call_of(outer.ctx, CCTX_LAST);
  begin(&inner, call, false);
  CHECK_EQ(set(inner.ctx, "a", "1"), CCTX_ENOTFOUND);
  CHECK_EQ(receive(inner.ctx, "a", "1"), CCTX_ENOTFOUND);
  CHECK(cctx_response(inner.ctx) == cctx_background());
  cctx_request_end(&inner);
  begin(&inner, call, true);
  CHECK_EQ(set(inner.ctx, "a", "1"), 0);
  CHECK_STR(all_of(inner.ctx), "a=1");
  CHECK_STR(all_of(call), "");
  CHECK_STR(all_of(outer.ctx), "");
  cctx_request_end(&inner);
  cctx_unref(call);
  cctx_request_end(&outer);
}

TEST(what_is_detached_has_no_response) {
  cctx_request request;
  begin(&request, cctx_background(), true);
  cctx *call = call_of(request.ctx, CCTX_LAST), *free = cctx_detached(call, 0);
  CHECK_EQ(set(free, "a", "1"), CCTX_ENOTFOUND);
  CHECK_EQ(receive(free, "a", "1"), CCTX_ENOTFOUND);
  cctx_unref(call);
  cctx_request_end(&request);
  cctx_unref(free);
}

/* ---- Ending ---------------------------------------------------------------------- */

/* S43: late pairs go nowhere, and are told so. */
TEST(what_comes_late_goes_nowhere) {
  cctx_request first, second;
  begin(&first, cctx_background(), true);
  cctx *kept = cctx_with_cancel(first.ctx), *call = call_of(first.ctx, CCTX_LAST);
  CHECK_EQ(set(kept, "in", "time"), 0);
  cctx_request_end(&first);
  begin(&second, cctx_background(), true);
  CHECK_EQ(set(kept, "late", "1"), CCTX_ESTALE);
  CHECK_EQ(receive(call, "late", "1"), CCTX_ESTALE);
  CHECK_STR(all_of(second.ctx), "");
  CHECK_STR(all_of(kept), "in=time");
  CHECK_EQ(cctx_response_end(call), 0); /* a call's is its maker's to end */
  cctx_request_end(&second);
  cctx_unref(call);
  cctx_unref(kept);
}

/* S43: the host answers before the request ends. */
TEST(an_ended_response_is_read_and_not_set) {
  cctx_request request;
  begin(&request, cctx_background(), true);
  CHECK_EQ(set(request.ctx, "a", "1"), 0);
  CHECK_EQ(cctx_response_end(request.ctx), 0);
  CHECK_EQ(cctx_response_end(request.ctx), CCTX_ESTALE);
  CHECK_EQ(set(request.ctx, "a", "2"), CCTX_ESTALE);
  CHECK_STR(all_of(request.ctx), "a=1");
  cctx_request_end(&request);
}

TEST(an_ended_call_takes_nothing_and_stops_no_other) {
  cctx *one = call_of(cctx_background(), CCTX_LAST), *two = call_of(one, CCTX_LAST);
  CHECK_EQ(cctx_response_end(one), 0);
  CHECK_EQ(receive(one, "a", "1"), CCTX_ESTALE);
  CHECK_EQ(receive(two, "a", "1"), 0);
  cctx_unref(two);
  cctx_unref(one);
}

TEST(the_end_of_a_request_ends_its_response) {
  cctx_request request;
  begin(&request, cctx_background(), true);
  cctx *kept = cctx_ref(request.ctx);
  cctx_request_end(&request);
  CHECK_EQ(cctx_response_end(kept), CCTX_ESTALE);
  cctx_unref(kept);
}

TEST(only_whoever_has_a_response_ends_it) {
  cctx_request request;
  begin(&request, cctx_background(), true);
  cctx *below = cctx_with_cancel(request.ctx);
  CHECK_EQ(cctx_response_end(below), CCTX_EINVAL);
  CHECK_EQ(cctx_response_end(cctx_background()), CCTX_EINVAL);
  CHECK_EQ(set(below, "a", "1"), 0);
  cctx_unref(below);
  cctx_request_end(&request);
}

TEST(a_context_that_is_done_still_answers) {
  cctx_request request;
  begin(&request, cctx_background(), true);
  cctx_cancel(request.ctx, "too slow");
  CHECK_EQ(set(request.ctx, "why", "slow"), 0);
  CHECK_STR(all_of(request.ctx), "why=slow");
  cctx_request_end(&request);
}

TEST(what_was_read_stays_as_it_was) {
  cctx *call = call_of(cctx_background(), CCTX_LAST), *read;
  CHECK_EQ(receive(call, "a", "1"), 0);
  read = cctx_response(call);
  CHECK_EQ(receive(call, "a", "2"), 0);
  cctx_unref(call);
  CHECK_STR(cctx_metadata(read, "a", NULL), "1");
  cctx_unref(read);
}

/* ---- Merging --------------------------------------------------------------------- */

/* S44: several answers to one call. */
TEST(answers_merge_as_the_caller_wants) {
  static const char *const expected[] = {"a=3 c= b=2", "a=1 c= b=2", "a=1, 3 c= b=2"};
  for (int policy = CCTX_LAST; policy <= CCTX_APPEND; policy++) {
    cctx *call = call_of(cctx_background(), (enum cctx_response_policy)policy);
    struct cctx_metadata_pair again[] = {pair_of("b", "2"), pair_of("a", "3"),
                                         pair_of("c", "")};
    CHECK_EQ(receive(call, "a", "1"), 0);
    CHECK_EQ(receive(call, "c", ""), 0);
    CHECK_EQ(cctx_response_receive(call, again, 3, NULL), 0);
    CHECK_STR(all_of(call), expected[policy]);
    cctx_unref(call);
  }
}

TEST(empty_values_join_nothing) {
  struct cctx_metadata_pair none = {CCTX_HOP, "a", NULL, 9};
  cctx *call = call_of(cctx_background(), CCTX_APPEND);
  CHECK_EQ(receive(call, "a", ""), 0);
  CHECK_EQ(receive(call, "a", "1"), 0);
  CHECK_EQ(receive(call, "a", ""), 0);
  CHECK_EQ(cctx_response_receive(call, &none, 1, NULL), 0);
  CHECK_EQ(receive(call, "b", NULL), 0);
  CHECK_STR(all_of(call), "a=1");
  cctx_unref(call);
}

/* All or none, whatever the policy; the index is that of the caller's pairs. */
TEST(what_is_refused_changes_nothing) {
  static char bytes[CCTX_METADATA_BYTES_MAX];
  memset(bytes, 'b', sizeof bytes);
  for (int policy = CCTX_LAST; policy <= CCTX_APPEND; policy++) {
    cctx *call = call_of(cctx_background(), (enum cctx_response_policy)policy);
    struct cctx_metadata_pair bad[] = {pair_of("a", "2"), pair_of("b", "3"),
                                       pair_of("not a name", "4")};
    struct cctx_metadata_pair big[] = {pair_of("a", "2"),
                                       {CCTX_HOP, "d", bytes, sizeof bytes}};
    struct cctx_metadata_pair huge = {CCTX_HOP, "e", "", SIZE_MAX};
    size_t at = 777;
    CHECK_EQ(receive(call, "a", "1"), 0);
    CHECK_EQ(cctx_response_receive(call, bad, 3, &at), CCTX_EINVAL);
    CHECK_EQ(at, 2);
    CHECK_EQ(cctx_response_receive(call, big, 2, &at), CCTX_ETOOBIG);
    CHECK_EQ(at, 1);
    CHECK_EQ(cctx_response_receive(call, &huge, 1, &at), CCTX_ETOOBIG);
    CHECK_EQ(at, 0);
    bad[2] = (struct cctx_metadata_pair){(enum cctx_metadata_scope)3, "c", "4", 1};
    CHECK_EQ(cctx_response_receive(call, bad, 3, NULL), CCTX_EINVAL);
    CHECK_STR(all_of(call), "a=1");
    cctx_unref(call);
  }
}

TEST(an_appended_value_keeps_the_budget) {
  static char bytes[CCTX_METADATA_BYTES_MAX - 1];
  cctx *call = call_of(cctx_background(), CCTX_APPEND);
  struct cctx_metadata_pair most = {CCTX_HOP, "a", bytes, sizeof bytes - 3};
  struct cctx_metadata_pair huge = {CCTX_HOP, "a", bytes, SIZE_MAX};
  memset(bytes, 'b', sizeof bytes);
  CHECK_EQ(cctx_response_receive(call, &most, 1, NULL), 0);
  CHECK_EQ(receive(call, "a", "cc"), CCTX_ETOOBIG);
  CHECK_EQ(cctx_response_receive(call, &huge, 1, NULL), CCTX_ETOOBIG);
  CHECK_EQ(receive(call, "a", "c"), 0);
  cctx_unref(call);
}

TEST(a_response_is_named_in_words) {
  char text[128];
  cctx_request request;
  begin(&request, cctx_background(), true);
  cctx *call = call_of(request.ctx, CCTX_LAST);
  cctx_string(call, text, sizeof text);
  CHECK_STR(text, "live: response < request < background");
  cctx_unref(call);
  cctx_request_end(&request);
}

/* ---- Memory, threads ------------------------------------------------------------- */

static bool set_and_read(enum cctx_response_policy policy) {
  cctx *call = cctx_with_response(cctx_background(), policy);
  struct cctx_metadata_pair pairs[] = {pair_of("a", "1"), pair_of("b", "2")};
  bool ok = call != NULL && receive(call, "a", "0") == 0;
  if (ok) {
    int status = cctx_response_receive(call, pairs, 2, NULL);
    ok = status == 0;
    if (!ok) CHECK_EQ(status, CCTX_ENOMEM);
    if (!ok) CHECK_STR(all_of(call), "a=0");
  }
  cctx_unref(call);
  return ok;
}

TEST(a_response_without_memory_is_as_before) {
  FAIL_EACH_ALLOCATION(set_and_read(CCTX_LAST));
  FAIL_EACH_ALLOCATION(set_and_read(CCTX_FIRST));
  FAIL_EACH_ALLOCATION(set_and_read(CCTX_APPEND));
}

/* Memory is taken between reading and changing: what another thread may do then is done there. */
static struct {
  cctx *ctx;  /* NULL: nothing is to be done */
  bool ended; /* else a pair is set */
} meanwhile;

static void *take_and_meddle(size_t size, void *arg) {
  cctx *ctx = meanwhile.ctx;
  (void)arg;
  meanwhile.ctx = NULL;
  if (ctx && meanwhile.ended) CHECK_EQ(cctx_response_end(ctx), 0);
  if (ctx && !meanwhile.ended) CHECK_EQ(set(ctx, "other", "2"), 0);
  return malloc(size);
}

static void give_plainly(void *memory, void *arg) {
  (void)arg;
  free(memory);
}

static int set_while(cctx *ctx, bool ended) {
  const struct cctx_allocator allocator = {take_and_meddle, give_plainly, NULL};
  int status;
  meanwhile.ctx = ctx;
  meanwhile.ended = ended;
  cctx_set_allocator(&allocator);
  status = set(ctx, "own", "1");
  cctx_set_allocator(NULL);
  CHECK(meanwhile.ctx == NULL);
  return status;
}

TEST(what_another_sets_meanwhile_is_not_lost) {
  cctx_request request;
  begin(&request, cctx_background(), true);
  CHECK_EQ(set(request.ctx, "first", "0"), 0);
  CHECK_EQ(set_while(request.ctx, false), 0);
  CHECK_STR(all_of(request.ctx), "first=0 other=2 own=1");
  cctx_request_end(&request);
}

TEST(what_is_set_while_it_ends_goes_nowhere) {
  cctx_request request;
  begin(&request, cctx_background(), true);
  CHECK_EQ(set(request.ctx, "first", "0"), 0);
  CHECK_EQ(set_while(request.ctx, true), CCTX_ESTALE);
  CHECK_STR(all_of(request.ctx), "first=0");
  cctx_request_end(&request);
}

enum { THREADS = 4, WRITES = 300 };
static pthread_barrier_t ready; /* of the writers and the test */

struct writer {
  pthread_t thread;
  cctx *ctx;
  char name[8];
  int late; /* how many were refused as such */
};

/* What nobody else writes must be there at once, and stay. */
static void check_own(struct writer *writer, const char *value) {
  cctx *response = cctx_response(writer->ctx);
  CHECK_STR(cctx_metadata(response, writer->name, NULL), value);
  cctx_unref(response);
}

static void *write_many(void *arg) {
  struct writer *writer = arg;
  pthread_barrier_wait(&ready);
  for (int i = 0; i < WRITES; i++) {
    char value[16];
    int status;
    snprintf(value, sizeof value, "%d", i);
    status = set(writer->ctx, writer->name, value);
    if (status == CCTX_ESTALE) {
      writer->late++;
    } else {
      CHECK(status == 0 && writer->late == 0);
      check_own(writer, value);
    }
  }
  return NULL;
}

static void start_writers(struct writer *writers, cctx *ctx) {
  CHECK_EQ(pthread_barrier_init(&ready, NULL, THREADS + 1), 0);
  for (int i = 0; i < THREADS; i++) {
    writers[i] = (struct writer){.ctx = cctx_ref(ctx)};
    snprintf(writers[i].name, sizeof writers[i].name, "t%d", i);
    CHECK_EQ(pthread_create(&writers[i].thread, NULL, write_many, &writers[i]), 0);
  }
  pthread_barrier_wait(&ready);
}

static void join_writers(struct writer *writers) {
  for (int i = 0; i < THREADS; i++) pthread_join(writers[i].thread, NULL);
  pthread_barrier_destroy(&ready);
}

static void drop_writers(struct writer *writers) {
  for (int i = 0; i < THREADS; i++) cctx_unref(writers[i].ctx);
}

TEST(threads_that_set_at_once_lose_nothing) {
  struct writer writers[THREADS];
  cctx_request request;
  cctx *response;
  begin(&request, cctx_background(), true);
  start_writers(writers, request.ctx);
  join_writers(writers);
  response = cctx_response(request.ctx);
  for (int i = 0; i < THREADS; i++) {
    CHECK_EQ(writers[i].late, 0);
    CHECK_STR(cctx_metadata(response, writers[i].name, NULL), "299");
  }
  cctx_unref(response);
  cctx_request_end(&request);
  drop_writers(writers);
}

/* What the host has read after the end is all that anybody will ever read. */
TEST(threads_may_set_while_the_response_ends) {
  struct writer writers[THREADS];
  cctx_request request;
  cctx *response, *later;
  begin(&request, cctx_background(), true);
  start_writers(writers, request.ctx);
  CHECK_EQ(cctx_response_end(request.ctx), 0);
  response = cctx_response(request.ctx);
  cctx_request_end(&request);
  join_writers(writers);
  later = cctx_response(writers[0].ctx);
  CHECK(later == response);
  cctx_unref(later);
  cctx_unref(response);
  drop_writers(writers);
}
