/* SPDX-License-Identifier: Apache-2.0 */
/* Depth and breadth: nothing recurses, whatever the size of the tree. */
#include <pthread.h>

#include <cctx.h>

#include "check.h"

/* A recursion over this many levels needs far more than SMALL_STACK in any build. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LEVELS 100000
#else
#define LEVELS 1000000
#endif
#define SMALL_STACK (256 * 1024)
#define POLLED 100000 /* levels and children that are asked one by one */

static cctx_key red = CCTX_KEY_INIT("red"), blue = CCTX_KEY_INIT("blue");

static void on_small_stack(void *(*body)(void *), void *arg) {
  pthread_attr_t attr;
  pthread_t thread;
  CHECK_EQ(pthread_attr_init(&attr), 0);
  CHECK_EQ(pthread_attr_setstacksize(&attr, SMALL_STACK), 0);
  CHECK_EQ(pthread_create(&thread, &attr, body, arg), 0);
  CHECK_EQ(pthread_join(thread, NULL), 0);
  pthread_attr_destroy(&attr);
}

/* Put `n` levels under `ctx`, whose reference is taken: one of each kind in turn. */
static cctx *deepen(cctx *ctx, int n) {
  for (int i = 0; i < n; i++) {
    cctx *child = i % 8 == 0   ? cctx_with_cancel(ctx)
                  : i % 8 == 4 ? cctx_with_deadline(ctx, CCTX_NEVER)
                               : cctx_with_value(ctx, &red, cctx_int(i));
    if (!CHECK(child != NULL)) return ctx;
    cctx_unref(ctx);
    ctx = child;
  }
  return ctx;
}

static void *give_back(void *ctx) {
  cctx_unref(ctx);
  return NULL;
}

TEST(a_deep_chain_is_freed_on_a_small_stack) {
  cctx *leaf = deepen(cctx_ref(cctx_background()), LEVELS);
  CHECK_EQ(cctx_alive(), LEVELS);
  on_small_stack(give_back, leaf);
  CHECK_EQ(cctx_alive(), 0);
}

static int64_t found;
static void *ask_leaf(void *ctx) {
  cctx_variant out = cctx_nil();
  CHECK_EQ(cctx_err(ctx), 0);
  CHECK_EQ(cctx_value(ctx, &blue, &out), 0);
  found = out.as.i;
  CHECK_EQ(cctx_value(ctx, cctx_key_named("none has this"), &out), CCTX_ENOTFOUND);
  cctx *detached = cctx_detached(ctx, CCTX_KEEP_DEADLINE);
  CHECK_EQ(cctx_value(detached, &blue, &out), 0);
  cctx_unref(detached);
  return NULL;
}

TEST(a_deep_chain_answers_on_a_small_stack) {
  cctx *root = cctx_with_value(cctx_background(), &blue, cctx_int(42));
  cctx *leaf = deepen(root, LEVELS);
  on_small_stack(ask_leaf, leaf);
  CHECK_EQ(found, 42);
  cctx_unref(leaf);
}

static void *cancel_root(void *ctx) {
  CHECK_EQ(cctx_cancel(ctx, "far away"), 1);
  return NULL;
}

TEST(a_cancellation_is_seen_through_many_levels) {
  struct cctx_cause cause;
  cctx *root = cctx_with_cancel(cctx_background());
  cctx *leaf = deepen(cctx_ref(root), POLLED);
  CHECK_EQ(cctx_err(leaf), 0);
  on_small_stack(cancel_root, root);
  CHECK_EQ(cctx_cause(leaf, &cause), CCTX_ECANCELED);
  CHECK_STR(cause.message, "far away");
  cctx_unref(root);
  on_small_stack(give_back, leaf);
}

TEST(a_deadline_is_seen_through_many_levels) {
  struct cctx_cause cause;
  cctx_clock_set(1000);
  cctx *root = cctx_with_deadline_cause(cctx_background(), 2000, "far away");
  cctx *leaf = deepen(cctx_ref(root), POLLED);
  CHECK_EQ(cctx_deadline(leaf), 2000);
  cctx_clock_set(2000);
  CHECK_EQ(cctx_cause(leaf, &cause), CCTX_EDEADLINE);
  CHECK_STR(cause.message, "far away");
  cctx_unref(root);
  cctx_unref(leaf);
}

TEST(a_cancellation_reaches_many_children) {
  static cctx *children[POLLED];
  size_t done = 0;
  cctx *parent = cctx_with_cancel(cctx_background());
  for (int i = 0; i < POLLED; i++)
    children[i] =
        i % 2 ? cctx_with_cancel(parent) : cctx_with_value(parent, &red, cctx_int(i));
  for (int i = 0; i < POLLED; i++) done += cctx_err(children[i]) != 0;
  CHECK_EQ(done, 0);
  CHECK_EQ(cctx_cancel(parent, NULL), 1);
  for (int i = 0; i < POLLED; i++) done += cctx_err(children[i]) == CCTX_ECANCELED;
  CHECK_EQ(done, POLLED);
  cctx_unref(parent);
  CHECK_EQ(cctx_alive(), POLLED + 1);
  for (int i = 0; i < POLLED; i++) cctx_unref(children[i]);
  CHECK_EQ(cctx_alive(), 0);
}
