/* SPDX-License-Identifier: Apache-2.0 */
/* The current context where no interpreter is: scopes on the stack of each thread. */
#include <pthread.h>

#include <cctx.h>
#include <cctx/interpreter.h>

#include "check.h"

static cctx *one, *two, *three; /* contexts that are told apart */

static void begin(void) {
  one = cctx_with_cancel(cctx_background());
  two = cctx_with_cancel(cctx_background());
  three = cctx_with_cancel(cctx_background());
}

static void end(void) {
  CHECK(cctx_current() == cctx_background());
  cctx_unref(one);
  cctx_unref(two);
  cctx_unref(three);
}

static const char *name_of(const cctx *ctx) {
  if (ctx == cctx_background()) return "background";
  return ctx == one ? "one" : ctx == two ? "two" : ctx == three ? "three" : "another";
}
#define CHECK_CURRENT(expected) CHECK_STR(name_of(cctx_current()), expected)

static cctx_token attach(cctx *ctx) {
  cctx_token token = {NULL, 0};
  CHECK_EQ(cctx_attach(ctx, &token), 0);
  return token;
}

static void on_another_thread(void *(*body)(void *), void *arg) {
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, body, arg), 0);
  CHECK_EQ(pthread_join(thread, NULL), 0);
}

/* S11: where nothing is attached, the current context is background. */
TEST(where_nothing_is_attached_current_is_background) {
  CHECK(cctx_current() == cctx_background());
  cctx *ref = cctx_current_ref();
  CHECK(ref == cctx_background());
  cctx_unref(ref);
}

/* S12: leaving a scope restores what was current before it. */
TEST(leaving_restores_what_was_there) {
  begin();
  cctx_token a = attach(one);
  CHECK_CURRENT("one");
  cctx_token b = attach(two);
  CHECK_CURRENT("two");
  cctx_token again = attach(one);
  CHECK_CURRENT("one");
  CHECK_EQ(cctx_detach(&again), 0);
  CHECK_CURRENT("two");
  CHECK_EQ(cctx_detach(&b), 0);
  CHECK_CURRENT("one");
  CHECK_EQ(cctx_detach(&a), 0);
  CHECK_CURRENT("background");
  end();
}

TEST(a_root_can_be_attached) {
  begin();
  cctx_token a = attach(one);
  cctx_token b = attach(cctx_background());
  CHECK_CURRENT("background");
  cctx_token c = attach(cctx_todo());
  CHECK(cctx_current() == cctx_todo());
  CHECK_EQ(cctx_detach(&c), 0);
  CHECK_EQ(cctx_detach(&b), 0);
  CHECK_CURRENT("one");
  CHECK_EQ(cctx_detach(&a), 0);
  end();
}

TEST(a_done_context_can_be_attached) {
  begin();
  CHECK_EQ(cctx_cancel(one, NULL), 1);
  cctx_token a = attach(one);
  CHECK_EQ(cctx_err(cctx_current()), CCTX_ECANCELED);
  CHECK_EQ(cctx_detach(&a), 0);
  end();
}

TEST(a_scope_has_a_reference_of_its_own) {
  size_t before = cctx_alive();
  cctx *ctx = cctx_with_cancel(cctx_background());
  cctx_token token = attach(ctx);
  cctx_unref(ctx);
  CHECK_EQ(cctx_alive(), before + 1);
  CHECK(cctx_current() == ctx);
  CHECK_EQ(cctx_err(cctx_current()), 0);
  CHECK_EQ(cctx_detach(&token), 0);
  CHECK_EQ(cctx_alive(), before);
}

TEST(a_reference_to_the_current_context_outlives_its_scope) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  cctx_token token = attach(ctx);
  cctx_unref(ctx);
  cctx *ref = cctx_current_ref();
  CHECK_EQ(cctx_detach(&token), 0);
  CHECK(ref == ctx);
  CHECK_EQ(cctx_err(ref), 0);
  cctx_unref(ref);
}

/* ---- Tokens -------------------------------------------------------------------- */

TEST(leaving_ends_what_was_attached_inside) {
  begin();
  uint64_t stale = cctx_stale_detaches();
  cctx_token a = attach(one), b = attach(two), c = attach(three);
  CHECK_EQ(cctx_detach(&a), 0);
  CHECK_CURRENT("background");
  CHECK_EQ(cctx_stale_detaches(), stale);
  CHECK_EQ(cctx_detach(&c), CCTX_ESTALE);
  CHECK_EQ(cctx_detach(&b), CCTX_ESTALE);
  CHECK_EQ(cctx_stale_detaches(), stale + 2);
  CHECK_CURRENT("background");
  end();
}

TEST(a_token_acts_once_however_often_it_is_copied) {
  begin();
  uint64_t stale = cctx_stale_detaches();
  cctx_token a = attach(one), b = attach(two), copy = b;
  CHECK_EQ(cctx_detach(&copy), 0);
  CHECK_CURRENT("one");
  CHECK_EQ(cctx_detach(&b), CCTX_ESTALE);
  CHECK_EQ(cctx_detach(&copy), CCTX_ESTALE);
  CHECK_EQ(cctx_stale_detaches(), stale + 2);
  CHECK_CURRENT("one");
  CHECK_EQ(cctx_detach(&a), 0);
  end();
}

/* Its memory is used again by later scopes, which it must leave alone. */
TEST(a_stale_token_ends_no_later_scope) {
  begin();
  cctx_token old = attach(one), used = old;
  CHECK_EQ(cctx_detach(&used), 0);
  for (int i = 0; i < 200; i++) {
    cctx_token a = attach(two);
    CHECK_EQ(cctx_detach(&old), CCTX_ESTALE);
    CHECK_CURRENT("two");
    cctx_token b = attach(three);
    CHECK_EQ(cctx_detach(&old), CCTX_ESTALE);
    CHECK_CURRENT("three");
    CHECK_EQ(cctx_detach(&b), 0);
    CHECK_EQ(cctx_detach(&a), 0);
  }
  end();
}

TEST(a_token_of_nothing_is_stale_and_not_counted) {
  cctx_token nothing = {NULL, 0};
  uint64_t stale = cctx_stale_detaches();
  CHECK_EQ(cctx_detach(&nothing), CCTX_ESTALE);
  CHECK_EQ(cctx_stale_detaches(), stale);
}

TEST(many_scopes_nest) {
  enum { MANY = 1000 };
  static cctx_token tokens[MANY];
  begin();
  for (int i = 0; i < MANY; i++) tokens[i] = attach(i % 2 ? two : one);
  for (int i = MANY; i-- > 0;) {
    CHECK_CURRENT(i % 2 ? "two" : "one");
    CHECK_EQ(cctx_detach(&tokens[i]), 0);
  }
  tokens[0] = attach(three);
  for (int i = 1; i < MANY; i++) tokens[i] = attach(two);
  CHECK_EQ(cctx_detach(&tokens[0]), 0);
  end();
}

/* ---- Other threads --------------------------------------------------------------- */

static void *check_background(void *arg) {
  cctx_token *token = arg;
  CHECK_CURRENT("background");
  *token = attach(two);
  CHECK_CURRENT("two");
  return NULL; /* the thread ends without leaving */
}

TEST(a_thread_has_a_stack_of_its_own_which_goes_with_it) {
  begin();
  cctx_token a = attach(one), theirs = {NULL, 0};
  size_t alive = cctx_alive();
  cctx *extra = cctx_with_cancel(cctx_background()), *kept = two;
  two = extra;
  on_another_thread(check_background, &theirs);
  two = kept;
  cctx_unref(extra); /* ours was the last: the thread's went with it */
  CHECK_EQ(cctx_alive(), alive);
  CHECK_CURRENT("one");
  CHECK_EQ(cctx_detach(&theirs), CCTX_ESTALE);
  CHECK_CURRENT("one");
  CHECK_EQ(cctx_detach(&a), 0);
  end();
}

static void *detach_there(void *token) {
  CHECK_EQ(cctx_detach(token), 0);
  CHECK_EQ(cctx_detach(token), CCTX_ESTALE);
  return NULL;
}

TEST(a_scope_left_on_another_thread_is_skipped) {
  begin();
  cctx_token a = attach(one), b = attach(two);
  on_another_thread(detach_there, &b);
  CHECK_CURRENT("one");
  CHECK_EQ(cctx_detach(&b), CCTX_ESTALE);
  CHECK_CURRENT("one");
  cctx_token c = attach(three);
  CHECK_CURRENT("three");
  CHECK_EQ(cctx_detach(&c), 0);
  CHECK_CURRENT("one");
  CHECK_EQ(cctx_detach(&a), 0);
  end();
}

/* A finished request must not come back when a later one has ended. */
TEST(a_scope_left_on_another_thread_ends_what_was_attached_inside) {
  begin();
  cctx_token a = attach(one), b = attach(two);
  on_another_thread(detach_there, &a);
  CHECK_CURRENT("background");
  cctx_token c = attach(three);
  CHECK_CURRENT("three");
  CHECK_EQ(cctx_detach(&c), 0);
  CHECK_CURRENT("background");
  CHECK_EQ(cctx_detach(&b), CCTX_ESTALE);
  end();
}

TEST(an_outer_scope_left_on_another_thread_is_not_restored) {
  begin();
  cctx_token a = attach(one), b = attach(two);
  on_another_thread(detach_there, &a);
  (void)cctx_detach(&b);
  CHECK_CURRENT("background");
  end();
}

static void *stay_attached(void *arg) {
  cctx_token mine = attach(three);
  detach_there(arg);
  CHECK_CURRENT("three");
  CHECK_EQ(cctx_detach(&mine), 0);
  CHECK_CURRENT("background");
  return NULL;
}

TEST(leaving_anothers_scope_changes_nothing_on_this_thread) {
  begin();
  cctx_token a = attach(one);
  on_another_thread(stay_attached, &a);
  CHECK_CURRENT("background");
  a = attach(two); /* the scope's memory goes back when its thread next passes by */
  CHECK_CURRENT("two");
  CHECK_EQ(cctx_detach(&a), 0);
  end();
}

TEST(what_was_left_on_another_thread_is_given_back) {
  size_t before = cctx_alive();
  cctx *ctx = cctx_with_cancel(cctx_background());
  cctx_token outer = attach(cctx_background()), inner = attach(ctx);
  cctx_unref(ctx);
  on_another_thread(detach_there, &inner);
  CHECK_EQ(cctx_detach(&outer), 0);
  CHECK_EQ(cctx_alive(), before);
}

/* ---- For authors of bindings ----------------------------------------------------- */

static const void *tag_now(void) {
  struct cctx_origin origin;
  cctx_current_origin(&origin);
  return origin.tag;
}

TEST(a_scope_tells_its_tag) {
  static const int tag = 0;
  cctx_token a, b;
  begin();
  CHECK(tag_now() == NULL);
  CHECK_EQ(cctx_attach_as(one, &(struct cctx_origin){.tag = &tag}, &a), 0);
  CHECK(tag_now() == &tag);
  b = attach(two);
  CHECK(tag_now() == NULL);
  CHECK_EQ(cctx_detach(&b), 0);
  CHECK(tag_now() == &tag);
  CHECK_EQ(cctx_detach(&a), 0);
  end();
}

TEST(under_a_boundary_nothing_below_it_answers) {
  cctx_token boundary, copy;
  begin();
  cctx_token a = attach(one);
  CHECK_EQ(cctx_boundary_enter(&boundary), 0);
  copy = boundary;
  CHECK_CURRENT("background");
  cctx_token b = attach(two);
  CHECK_CURRENT("two");
  CHECK_EQ(cctx_boundary_leave(&boundary), 0); /* it alone goes */
  CHECK_CURRENT("two");
  CHECK_EQ(cctx_boundary_leave(&copy), CCTX_ESTALE);
  CHECK_EQ(cctx_detach(&b), 0);
  CHECK_CURRENT("one");
  CHECK_EQ(cctx_detach(&a), 0);
  end();
}

TEST(a_forgotten_stack_scope_goes_with_the_one_outside_it) {
  begin();
  cctx_token a = attach(one), b = attach(two);
  cctx_forget(&b);
  CHECK_CURRENT("two");
  CHECK_EQ(cctx_detach(&a), 0);
  end();
}

/* ---- Release hooks --------------------------------------------------------------- */

static cctx_key owner = CCTX_KEY_INIT("owner");
static const char *seen_in_hook;
static void look(void *ptr) {
  (void)ptr;
  seen_in_hook = name_of(cctx_current());
}

TEST(a_release_hook_works_for_nobody) {
  begin();
  cctx_token a = attach(one);
  cctx *ctx =
      cctx_with_value(cctx_background(), &owner, cctx_pointer(&a, NULL, look, NULL));
  cctx_token b = attach(ctx);
  cctx_unref(ctx);
  CHECK_EQ(cctx_detach(&b), 0);
  CHECK_STR(seen_in_hook, "background");
  CHECK_CURRENT("one");
  CHECK_EQ(cctx_detach(&a), 0);
  end();
}

static void leave_scope(void *token) { CHECK_EQ(cctx_detach(token), 0); }

TEST(a_release_hook_run_by_leaving_may_leave_an_outer_scope) {
  begin();
  cctx_token a = attach(one), b = attach(two);
  cctx *ctx =
      cctx_with_value(cctx_background(), &owner, cctx_pointer(&a, NULL, leave_scope, NULL));
  cctx_token c = attach(ctx);
  cctx_unref(ctx);
  CHECK_EQ(cctx_detach(&b), 0);
  CHECK_CURRENT("background");
  CHECK_EQ(cctx_detach(&a), CCTX_ESTALE);
  CHECK_EQ(cctx_detach(&c), CCTX_ESTALE);
  end();
}

static void leave_stale(void *token) { CHECK_EQ(cctx_detach(token), CCTX_ESTALE); }

TEST(a_release_hook_finds_all_that_was_left_with_it_ended) {
  begin();
  cctx_token outer = attach(three), a = attach(one), b = attach(two);
  cctx *ctx =
      cctx_with_value(cctx_background(), &owner, cctx_pointer(&b, NULL, leave_stale, NULL));
  cctx_token c = attach(ctx);
  cctx_unref(ctx);
  CHECK_EQ(cctx_detach(&a), 0);
  CHECK_CURRENT("three");
  CHECK_EQ(cctx_detach(&c), CCTX_ESTALE);
  CHECK_EQ(cctx_detach(&outer), 0);
  end();
}
