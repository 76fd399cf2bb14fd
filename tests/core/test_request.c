/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: marks, their end, and what was inherited against what was handed over. */
#include <cctx/interpreter.h>
#include <pthread.h>

#include "../check.h"

static const struct cctx_origin inherited = {.lifetime = CCTX_INHERITED};
static const struct cctx_origin handed_over = {.lifetime = CCTX_HANDED_OVER};

static cctx_request begin(const struct cctx_request_options *options) {
  cctx_request request;
  CHECK_EQ(cctx_request_begin(&request, cctx_background(), options), 0);
  return request;
}

TEST(a_request_is_current_from_its_begin_to_its_end) {
  cctx_request request = begin(NULL);
  CHECK(cctx_current() == request.ctx);
  CHECK_EQ(cctx_current_status(), CCTX_CURRENT_ATTACHED);
  CHECK_EQ(cctx_request_end(&request), 0);
  CHECK(cctx_current() == cctx_background());
  CHECK_EQ(cctx_current_status(), CCTX_CURRENT_NONE);
}

TEST(a_request_begins_with_its_metadata_and_its_earlier_limit) {
  struct cctx_metadata_pair pair = {CCTX_REQUEST, "tenant", "acme", 4};
  struct cctx_request_options options = {.metadata = &pair, .metadata_n = 1};
  cctx_request request;
  cctx_clock_set(1000);
  options.timeout = 500;
  options.deadline = 1200;
  request = begin(&options);
  CHECK_STR(cctx_metadata(cctx_current(), "tenant", NULL), "acme");
  CHECK_EQ(cctx_deadline(request.ctx), 1200);
  cctx_request_end(&request);
  options.deadline = 2000;
  request = begin(&options);
  CHECK_EQ(cctx_deadline(request.ctx), 1500);
  cctx_request_end(&request);
}

TEST(a_request_with_metadata_that_cannot_be_expressed_does_not_begin) {
  struct cctx_metadata_pair pair = {CCTX_REQUEST, "ten ant", "acme", 4};
  struct cctx_request_options options = {.metadata = &pair, .metadata_n = 1};
  cctx_request request;
  CHECK_EQ(cctx_request_begin(&request, cctx_background(), &options), CCTX_EINVAL);
  CHECK(cctx_current() == cctx_background());
  CHECK_EQ(cctx_request_end(&request), CCTX_ESTALE);
}

TEST(the_end_cancels_what_was_derived_and_says_so) {
  cctx_request request = begin(NULL);
  cctx *child = cctx_with_cancel(request.ctx);
  struct cctx_cause cause;
  cctx_request_end(&request);
  CHECK_EQ(cctx_cause(child, &cause), CCTX_ECANCELED);
  CHECK_STR(cause.message, "the request has ended");
  cctx_unref(child);
}

TEST(S18_what_was_inherited_answers_background_once_its_request_has_ended) {
  cctx_request request = begin(NULL);
  cctx *child = cctx_with_cancel(request.ctx);
  cctx_stack *own;
  cctx_token token;
  CHECK_EQ(cctx_attach_as(child, &inherited, &token), 0);
  own = cctx_stack_swap(NULL); /* a fiber of the request, that is late */
  cctx_request_end(&request);
  CHECK(cctx_stack_swap(own) == NULL);
  CHECK(cctx_current() == cctx_background());
  cctx_detach(&token);
  cctx_unref(child);
}

struct late {
  pthread_barrier_t *turn;
  cctx *ctx;
  const struct cctx_origin *origin;
  int err;
  bool is_background;
  int status;
};

static void *ask_late(void *arg) {
  struct late *late = arg;
  cctx_token token;
  CHECK_EQ(cctx_attach_as(late->ctx, late->origin, &token), 0);
  pthread_barrier_wait(late->turn);
  pthread_barrier_wait(late->turn); /* the request has ended */
  late->is_background = cctx_current() == cctx_background();
  late->status = cctx_current_status();
  late->err = cctx_err(cctx_current());
  cctx_detach(&token);
  return NULL;
}

static struct late ask_after_the_end(const struct cctx_origin *origin) {
  pthread_barrier_t turn;
  cctx_request request = begin(NULL);
  struct late late = {.turn = &turn, .origin = origin};
  pthread_t thread;
  late.ctx = cctx_ref(request.ctx);
  pthread_barrier_init(&turn, NULL, 2);
  pthread_create(&thread, NULL, ask_late, &late);
  pthread_barrier_wait(&turn);
  cctx_request_end(&request);
  pthread_barrier_wait(&turn);
  pthread_join(thread, NULL);
  pthread_barrier_destroy(&turn);
  cctx_unref(late.ctx);
  return late;
}

TEST(a_late_thread_that_inherited_finds_background_with_the_status_ended) {
  struct late late = ask_after_the_end(&inherited);
  CHECK(late.is_background);
  CHECK_EQ(late.status, CCTX_CURRENT_ENDED);
  CHECK_EQ(late.err, 0);
}

TEST(S19_what_was_handed_over_keeps_its_context_and_is_canceled) {
  struct late late = ask_after_the_end(&handed_over);
  CHECK(!late.is_background);
  CHECK_EQ(late.status, CCTX_CURRENT_ATTACHED);
  CHECK_EQ(late.err, CCTX_ECANCELED);
}

TEST(a_context_brought_to_another_thread_is_handed_over) {
  static const struct cctx_origin plain;
  struct late late = ask_after_the_end(&plain);
  CHECK(!late.is_background);
}

static enum cctx_lifetime lifetime(void) {
  struct cctx_origin origin;
  cctx_current_origin(&origin);
  return origin.lifetime;
}

TEST(a_scope_inside_a_request_lasts_as_the_one_that_it_replaces) {
  cctx_request request = begin(NULL);
  cctx *child = cctx_with_cancel(request.ctx);
  cctx_token outer, inner;
  CHECK_EQ(cctx_attach(child, &outer), 0);
  CHECK_EQ(lifetime(), CCTX_INHERITED);
  cctx_detach(&outer);
  CHECK_EQ(cctx_attach_as(child, &handed_over, &outer), 0);
  CHECK_EQ(cctx_attach(child, &inner), 0);
  CHECK_EQ(lifetime(), CCTX_HANDED_OVER);
  cctx_detach(&outer);
  cctx_unref(child);
  cctx_request_end(&request);
}

TEST(a_context_of_another_request_is_handed_over) {
  cctx_request other = begin(NULL), request = begin(NULL);
  cctx_token token;
  CHECK_EQ(cctx_attach(other.ctx, &token), 0);
  CHECK_EQ(lifetime(), CCTX_HANDED_OVER);
  cctx_detach(&token);
  cctx_request_end(&request);
  cctx_request_end(&other);
}

TEST(an_attach_after_the_end_is_a_hand_over) {
  cctx_request request = begin(NULL);
  cctx *kept = cctx_ref(request.ctx);
  cctx_token token;
  cctx_request_end(&request);
  CHECK_EQ(cctx_attach(kept, &token), 0);
  CHECK(cctx_current() == kept);
  cctx_detach(&token);
  cctx_unref(kept);
}

TEST(a_request_inside_another_ends_with_it) {
  cctx_request outer = begin(NULL), inner;
  CHECK_EQ(cctx_request_begin(&inner, outer.ctx, NULL), 0);
  CHECK(!cctx_has_ended(inner.ctx));
  cctx_request_end(&outer);
  CHECK(cctx_has_ended(inner.ctx));
  CHECK(cctx_current() == cctx_background());
  CHECK_EQ(cctx_request_end(&inner), CCTX_ESTALE); /* its scope ended with the outer one */
}

TEST(an_inner_request_ends_alone) {
  cctx_request outer = begin(NULL), inner;
  CHECK_EQ(cctx_request_begin(&inner, outer.ctx, NULL), 0);
  CHECK_EQ(cctx_request_end(&inner), 0);
  CHECK(cctx_current() == outer.ctx);
  CHECK(!cctx_has_ended(outer.ctx));
  cctx_request_end(&outer);
}

TEST(a_detached_context_outlives_the_request) {
  cctx_request request = begin(NULL);
  cctx *detached = cctx_detached(request.ctx, 0);
  cctx_token token;
  cctx_request_end(&request);
  CHECK(!cctx_has_ended(detached));
  CHECK_EQ(cctx_attach_as(detached, &inherited, &token), 0);
  CHECK(cctx_current() == detached);
  CHECK_EQ(cctx_err(cctx_current()), 0);
  cctx_detach(&token);
  cctx_unref(detached);
}

static void *end_elsewhere(void *arg) {
  CHECK_EQ(cctx_request_end((cctx_request *)arg), 0);
  return NULL;
}

TEST(a_request_ended_on_another_thread_is_current_on_its_own_no_more) {
  cctx_request request = begin(NULL);
  pthread_t thread;
  pthread_create(&thread, NULL, end_elsewhere, &request);
  pthread_join(thread, NULL);
  CHECK(cctx_current() == cctx_background());
  request = begin(NULL); /* this thread passes by, and gives the old scope back */
  CHECK(cctx_current() == request.ctx);
  cctx_request_end(&request);
}

static void note_current(cctx *ctx, void *arg) {
  (void)ctx;
  *(cctx **)arg = cctx_current();
}

TEST(what_observes_the_end_works_for_nobody) {
  cctx_request request = begin(NULL);
  cctx *seen = NULL;
  CHECK_EQ(cctx_on_done(request.ctx, CCTX_INLINE, note_current, &seen, NULL), 0);
  cctx_request_end(&request);
  CHECK(seen == cctx_background());
}

TEST(references_counts_holders_and_children) {
  cctx *ctx = cctx_with_cancel(cctx_background()), *child;
  CHECK_EQ(cctx_references(ctx), 1);
  child = cctx_with_cancel(ctx);
  CHECK_EQ(cctx_references(ctx), 2);
  cctx_unref(child);
  CHECK_EQ(cctx_references(ctx), 1);
  cctx_unref(ctx);
  CHECK_EQ(cctx_references(cctx_background()), 0);
}
