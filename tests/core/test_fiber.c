/* SPDX-License-Identifier: Apache-2.0 */
/* Fibers that a host switches by itself take their scopes along. */
#include <pthread.h>

#include "check.h"

static cctx_token attach(cctx *ctx) {
  cctx_token token;
  CHECK_EQ(cctx_attach(ctx, &token), 0);
  return token;
}

TEST(a_fiber_sees_its_own_scopes_alone) {
  cctx *one = cctx_with_cancel(cctx_background()),
       *two = cctx_with_cancel(cctx_background());
  cctx_token first = attach(one), second;
  cctx_stack *main_stack = cctx_stack_swap(NULL), *fiber;
  CHECK(main_stack != NULL);
  CHECK(cctx_current() == cctx_background());
  second = attach(two);
  CHECK(cctx_current() == two);
  fiber = cctx_stack_swap(main_stack);
  CHECK(cctx_current() == one);
  CHECK_EQ(cctx_detach(&first), 0);
  CHECK(cctx_current() == cctx_background());
  main_stack = cctx_stack_swap(fiber);
  CHECK(cctx_current() == two);
  CHECK_EQ(cctx_detach(&second), 0);
  cctx_stack_free(cctx_stack_swap(main_stack));
  cctx_unref(one);
  cctx_unref(two);
}

TEST(a_fiber_that_ends_with_scopes_gives_their_contexts_back) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  cctx_stack *before = cctx_stack_swap(NULL);
  cctx_token token = attach(ctx);
  cctx_stack_free(cctx_stack_swap(before));
  cctx_stack_free(NULL);
  CHECK_EQ(cctx_detach(&token), CCTX_ESTALE);
  cctx_unref(ctx);
}

TEST(a_scope_of_a_fiber_that_is_switched_away_can_be_left_and_is_skipped) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  cctx_stack *before = cctx_stack_swap(NULL), *fiber;
  cctx_token token = attach(ctx);
  fiber = cctx_stack_swap(before);
  CHECK_EQ(cctx_detach(&token), 0);
  before = cctx_stack_swap(fiber);
  CHECK(cctx_current() == cctx_background());
  cctx_stack_free(cctx_stack_swap(before));
  cctx_unref(ctx);
}

static cctx_stack *traveler;
static cctx *traveling;
static void *go_on(void *arg) {
  cctx_stack *mine = cctx_stack_swap(traveler);
  CHECK(mine == NULL);
  CHECK(cctx_current() == traveling);
  traveler = cctx_stack_swap(mine);
  CHECK(cctx_current() == cctx_background());
  return arg;
}

TEST(a_fiber_may_go_on_on_another_thread) {
  cctx_stack *before = cctx_stack_swap(NULL);
  cctx_token token;
  pthread_t thread;
  traveling = cctx_with_cancel(cctx_background());
  token = attach(traveling);
  traveler = cctx_stack_swap(before);
  pthread_create(&thread, NULL, go_on, NULL);
  pthread_join(thread, NULL);
  before = cctx_stack_swap(traveler);
  CHECK_EQ(cctx_detach(&token), 0);
  cctx_stack_free(cctx_stack_swap(before));
  cctx_unref(traveling);
}
