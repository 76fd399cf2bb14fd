/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes that their owner and another thread leave at once: each ends once, and nothing stays. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "../check.h"

/* What the owner shows the stranger, and what came of it. A turn is the owner's when even. */
static cctx_token outer, inner;
static atomic_uint turn;
static int outer_left, inner_left; /* by the stranger, before the turn is given back */

static void wait_for(unsigned mine) {
  while (atomic_load(&turn) != mine) sched_yield();
}

static unsigned rounds(void) {
  const char *text = getenv("CCTX_THOROUGH");
  return text && *text ? 200000 : 5000;
}

static void *leave_what_is_shown(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < rounds(); i++) {
    cctx_token a, b;
    wait_for(2 * i + 1);
    a = outer, b = inner;
    atomic_store(&turn, 2 * i + 2); /* from here on both leave */
    if (i % 3 == 0) {
      outer_left = cctx_detach(&a) == CCTX_OK;
      inner_left = cctx_detach(&b) == CCTX_OK;
    } else {
      inner_left = cctx_detach(&b) == CCTX_OK;
      outer_left = cctx_detach(&a) == CCTX_OK;
    }
    atomic_store(&turn, 2 * i + 3);
    wait_for(2 * i + 4);
    atomic_store(&turn, 2 * i + 2);
  }
  return NULL;
}

TEST(a_scope_that_two_threads_leave_at_once_ends_once) {
  pthread_t stranger;
  int wrong = 0;
  atomic_store(&turn, 0);
  pthread_create(&stranger, NULL, leave_what_is_shown, NULL);
  for (unsigned i = 0; i < rounds(); i++) {
    cctx *ctx = cctx_with_cancel(cctx_background());
    cctx_token a, b;
    int left;
    if (cctx_attach(ctx, &a) != 0 || cctx_attach(ctx, &b) != 0) abort();
    outer = a, inner = b;
    atomic_store(&turn, 2 * i + 1);
    while (atomic_load(&turn) == 2 * i + 1) sched_yield();
    if (i % 2) cctx_detach(&b);
    left = cctx_detach(&a) == CCTX_OK;
    while (atomic_load(&turn) != 2 * i + 3) sched_yield();
    if (left + outer_left != 1 || inner_left < 0) wrong++;
    if (cctx_current() != cctx_background()) wrong++;
    atomic_store(&turn, 2 * i + 4);
    wait_for(2 * i + 2);
    cctx_unref(ctx);
  }
  pthread_join(stranger, NULL);
  CHECK_EQ(wrong, 0);
  CHECK_EQ(cctx_attach(cctx_background(), &outer), 0); /* passes by what was left */
  CHECK_EQ(cctx_detach(&outer), 0);
  CHECK_EQ(cctx_alive(), 0);
}

static void *attach_and_end(void *tokens) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  for (int i = 0; i < 4; i++)
    if (cctx_attach(ctx, (cctx_token *)tokens + i) != 0) abort();
  cctx_unref(ctx);
  atomic_store(&turn, 1); /* and goes, as they are left */
  return NULL;
}

TEST(a_thread_may_end_while_others_leave_its_scopes) {
  for (unsigned i = 0; i < rounds() / 25; i++) {
    static cctx_token tokens[4];
    pthread_t owner;
    atomic_store(&turn, 0);
    pthread_create(&owner, NULL, attach_and_end, tokens);
    while (atomic_load(&turn) == 0) sched_yield();
    for (int k = 3; k >= 0; k--) cctx_detach(&tokens[k]);
    pthread_join(owner, NULL);
    CHECK(cctx_current() == cctx_background());
  }
  CHECK_EQ(cctx_alive(), 0);
}
