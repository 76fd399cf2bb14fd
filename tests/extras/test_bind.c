/* SPDX-License-Identifier: Apache-2.0 */
/* Bound functions, and threads that begin with their creator's context. */
#include <cctx/bind.h>

#include <errno.h>
#include <stdatomic.h>

#include "check.h"

static int calls;

/* Which context is current is what `arg` says. */
static void expect(void *ctx) {
  calls++;
  CHECK(cctx_current() == ctx);
}

TEST(a_bound_function_is_called_under_its_context) {
  cctx *ctx = cctx_with_cancel(cctx_background()), *other = cctx_with_cancel(ctx);
  cctx_bound *bound = cctx_bind(ctx, expect, ctx);
  cctx_token token;
  calls = 0;
  CHECK_EQ(cctx_bound_call(bound), 0);
  CHECK(cctx_current() == cctx_background());
  CHECK_EQ(cctx_attach(other, &token), 0);
  CHECK_EQ(cctx_bound_call(bound), 0);
  CHECK(cctx_current() == other);
  cctx_detach(&token);
  CHECK_EQ(calls, 2);
  cctx_bound_free(bound);
  cctx_unref(other);
  cctx_unref(ctx);
}

TEST(what_is_bound_to_no_context_is_bound_to_the_current_one) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  cctx_bound *early = cctx_bind(NULL, expect, cctx_background()), *late;
  cctx_token token;
  CHECK_EQ(cctx_attach(ctx, &token), 0);
  late = cctx_bind(NULL, expect, ctx);
  CHECK_EQ(cctx_bound_call(early), 0); /* not what is current at the call */
  cctx_detach(&token);
  cctx_unref(ctx); /* the bound one keeps it */
  CHECK_EQ(cctx_bound_call(late), 0);
  cctx_bound_free(late);
  cctx_bound_free(early);
  cctx_bound_free(NULL);
}

static void expect_done(void *status) {
  calls++;
  CHECK_EQ(cctx_err(cctx_current()), *(int *)status);
}

TEST(it_is_called_also_when_its_context_is_done) {
  int status = CCTX_ECANCELED;
  cctx *ctx = cctx_with_cancel(cctx_background());
  cctx_bound *bound = cctx_bind(ctx, expect_done, &status);
  calls = 0;
  cctx_finish(ctx);
  CHECK_EQ(cctx_bound_call_once(bound), 0);
  CHECK_EQ(calls, 1);
}

static void count_alive(void *alive) { *(size_t *)alive = cctx_alive(); }

TEST(called_once_it_is_gone_but_its_context_stays_for_the_call) {
  size_t alive = 0;
  cctx_bound *bound;
  cctx *ctx = cctx_with_cancel(cctx_background());
  bound = cctx_bind(ctx, count_alive, &alive);
  cctx_unref(ctx);
  CHECK_EQ(cctx_bound_call_once(bound), 0);
  CHECK_EQ(alive, 1);
  CHECK_EQ(cctx_alive(), 0);
}

static cctx_bound *itself;
static void free_itself(void *unused) {
  (void)unused;
  cctx_bound_free(itself);
  CHECK(cctx_current() != cctx_background());
}

TEST(it_may_be_freed_from_inside_its_call) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  itself = cctx_bind(ctx, free_itself, NULL);
  cctx_unref(ctx);
  CHECK_EQ(cctx_bound_call(itself), 0);
  CHECK(cctx_current() == cctx_background());
}

static bool bind_and_call(cctx *ctx) {
  cctx_bound *bound = cctx_bind(ctx, expect, ctx);
  int status;
  if (bound == NULL) return false;
  calls = 0;
  status = cctx_bound_call(bound);
  CHECK_EQ(calls, status == CCTX_OK);
  CHECK(status == CCTX_OK || status == CCTX_ENOMEM);
  if (status != CCTX_OK || cctx_bound_call_once(bound) != CCTX_OK) cctx_bound_free(bound);
  return status == CCTX_OK;
}

static void *bind_body(void *ctx) {
  FAIL_EACH_ALLOCATION(
      bind_and_call(ctx)); /* on a thread that has no stack of scopes yet */
  return NULL;
}

TEST(a_call_for_which_there_is_no_memory_does_not_happen) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, bind_body, ctx), 0);
  pthread_join(thread, NULL);
  cctx_unref(ctx);
}

/* ---- Threads ---------------------------------------------------------------------- */

static void *answer_current(void *unused) {
  (void)unused;
  return cctx_current();
}

static void *leave_at_once(void *unused) {
  (void)unused;
  pthread_exit(cctx_current());
}

TEST(a_thread_begins_with_the_context_of_its_creator) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  void *(*const bodies[])(void *) = {answer_current, leave_at_once};
  void *seen = NULL;
  pthread_t thread;
  cctx_token token;
  CHECK_EQ(cctx_attach(ctx, &token), 0);
  for (int i = 0; i < 2; i++) {
    CHECK_EQ(cctx_thread_create(&thread, NULL, bodies[i], NULL), 0);
    pthread_join(thread, &seen);
    CHECK(seen == ctx);
  }
  cctx_detach(&token);
  CHECK_EQ(cctx_thread_create(&thread, NULL, answer_current, NULL), 0);
  pthread_join(thread, &seen);
  CHECK(seen == cctx_background());
  cctx_unref(ctx);
}

static pthread_barrier_t barrier;
static void *hold_context(void *unused) {
  (void)unused;
  pthread_barrier_wait(&barrier);
  return (void *)(intptr_t)cctx_err(cctx_current());
}

TEST(a_thread_keeps_its_context_after_the_request_has_ended) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  void *status = NULL;
  pthread_t thread;
  cctx_token token;
  pthread_barrier_init(&barrier, NULL, 2);
  CHECK_EQ(cctx_attach(ctx, &token), 0);
  CHECK_EQ(cctx_thread_create(&thread, NULL, hold_context, NULL), 0);
  cctx_detach(&token);
  cctx_finish(ctx);
  CHECK_EQ(cctx_alive(), 1);
  pthread_barrier_wait(&barrier);
  pthread_join(thread, &status);
  CHECK_EQ((intptr_t)status, CCTX_ECANCELED);
  pthread_barrier_destroy(&barrier);
}

TEST(a_thread_that_the_system_refuses_is_told_as_by_pthread_create) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  cctx_token token;
  pthread_t thread;
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, (size_t)1 << 46); /* more than any machine maps */
  CHECK_EQ(cctx_attach(ctx, &token), 0);
  CHECK_EQ(cctx_thread_create(&thread, &attr, answer_current, NULL), EAGAIN);
  cctx_detach(&token);
  pthread_attr_destroy(&attr);
  cctx_unref(ctx);
}

static atomic_int ran;
static void *note_run(void *unused) {
  atomic_fetch_add(&ran, 1);
  return unused;
}

static bool create_and_join(void) {
  pthread_t thread;
  int before = atomic_load(&ran), error = cctx_thread_create(&thread, NULL, note_run, NULL);
  CHECK(error == 0 || error == ENOMEM);
  if (error == 0) pthread_join(thread, NULL);
  CHECK_EQ(atomic_load(&ran) - before, error == 0);
  return error == 0;
}

TEST(a_thread_whose_context_cannot_be_put_in_place_never_runs) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  cctx_token token;
  CHECK_EQ(cctx_attach(ctx, &token), 0);
  FAIL_EACH_ALLOCATION(create_and_join());
  cctx_detach(&token);
  cctx_unref(ctx);
}
