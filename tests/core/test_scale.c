/* SPDX-License-Identifier: Apache-2.0 */
/* Observing at scale: what must stay linear, and what must not recurse. */
#include <cctx/loop.h>

#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>

#include "check.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { MANY = 50000, FDS = 1000 };
#else
enum { MANY = 1000000, FDS = 10000 };
#endif
#define SMALL_STACK (256 * 1024)

static size_t calls;
static void count(cctx *ctx, void *arg) {
  (void)ctx, (void)arg;
  calls++;
}

/* `arg` counts on: the calls come in the order of registration. */
static size_t out_of_order;
static void count_in_order(cctx *ctx, void *arg) {
  (void)ctx;
  out_of_order += (size_t)(uintptr_t)arg != calls;
  calls++;
}

TEST(a_million_observed_children_are_told_in_order) {
  cctx_loop *loop = cctx_loop_new();
  cctx *root = cctx_with_cancel(cctx_background());
  int failed = 0;
  calls = out_of_order = 0;
  CHECK(cctx_loop_fd(loop) >= 0);
  for (size_t i = 0; i < MANY; i++) {
    cctx *child = cctx_with_cancel(root);
    failed += cctx_on_done(child, loop, count_in_order, (void *)i, NULL) != 0;
    cctx_unref(child);
  }
  CHECK_EQ(failed, 0);
  CHECK_EQ(cctx_alive(), MANY + 1);
  CHECK_EQ(cctx_cancel(root, NULL), 1);
  CHECK_EQ(cctx_loop_run(loop, cctx_now()), MANY);
  CHECK_EQ(out_of_order, 0);
  CHECK_EQ(cctx_alive(), 1);
  cctx_unref(root);
  cctx_loop_free(loop);
}

static cctx_observer observers[MANY];

TEST(a_million_observers_are_withdrawn_in_any_order) {
  cctx_loop *loop = cctx_loop_new();
  cctx *root = cctx_with_cancel(cctx_background());
  size_t prevented = 0;
  calls = 0;
  for (size_t i = 0; i < MANY; i++)
    CHECK(cctx_on_done(root, loop, count, NULL, &observers[i]) == 0);
  for (size_t i = 0; i < MANY; i++) /* 7919 is a prime that does not divide MANY */
    prevented += (size_t)cctx_off_done(&observers[i * 7919 % MANY]);
  CHECK_EQ(prevented, MANY);
  cctx_cancel(root, NULL);
  CHECK_EQ(cctx_loop_run(loop, cctx_now()), 0);
  cctx_unref(root);
  cctx_loop_free(loop);
}

static int64_t last;
static void count_by_deadline(cctx *ctx, void *arg) {
  (void)arg;
  out_of_order += cctx_deadline(ctx) < last;
  last = cctx_deadline(ctx);
  calls++;
}

TEST(a_million_deadlines_on_one_loop_are_told_in_order) {
  cctx_loop *loop = cctx_loop_new();
  unsigned random = 7;
  size_t prevented = 0;
  cctx_clock_set(CCTX_SECOND);
  calls = out_of_order = 0;
  last = 0;
  for (size_t i = 0; i < MANY; i++) {
    cctx *ctx;
    random = random * 1664525u + 1013904223u;
    ctx = cctx_with_timeout(cctx_background(), 1 + random % CCTX_SECOND);
    CHECK(cctx_on_done(ctx, loop, count_by_deadline, NULL, &observers[i]) == 0);
    cctx_unref(ctx);
  }
  for (size_t i = 0; i < MANY; i += 3) prevented += (size_t)cctx_off_done(&observers[i]);
  for (int i = 1; i <= 10; i++) {
    cctx_clock_set(CCTX_SECOND + i * CCTX_SECOND / 10);
    cctx_loop_run(loop, cctx_now());
    CHECK(cctx_loop_next(loop) > cctx_now());
  }
  CHECK_EQ(prevented + calls, MANY);
  CHECK_EQ(out_of_order, 0);
  CHECK_EQ(cctx_loop_next(loop), CCTX_NEVER);
  cctx_loop_free(loop);
}

/* ---- Depth ---- */

static cctx *root, *leaf;

static void *observe_and_cancel(void *arg) {
  cctx_loop *loop = cctx_loop_new();
  cctx_observer observer;
  (void)arg;
  CHECK_EQ(cctx_on_done(leaf, loop, count, NULL, &observer), 0);
  CHECK_EQ(cctx_off_done(&observer), 1); /* unlinks every level */
  CHECK_EQ(cctx_on_done(leaf, loop, count, NULL, NULL), 0);
  CHECK_EQ(cctx_on_done(leaf, CCTX_INLINE, count, NULL, NULL), 0);
  CHECK(cctx_done_fd(leaf) >= 0);
  CHECK_EQ(cctx_cancel(root, NULL), 1);
  CHECK_EQ(calls, 1);
  cctx_unref(leaf);
  CHECK_EQ(cctx_loop_run(loop, cctx_now()), 1); /* frees the chain */
  cctx_loop_free(loop);
  return NULL;
}

TEST(the_leaf_of_a_million_levels_is_told_on_a_small_stack) {
  pthread_attr_t attr;
  pthread_t thread;
  calls = 0;
  root = cctx_with_cancel(cctx_background());
  leaf = cctx_ref(root);
  for (int i = 0; i < MANY; i++) {
    cctx *child = cctx_with_cancel(leaf);
    CHECK(child != NULL);
    cctx_unref(leaf);
    leaf = child;
  }
  CHECK_EQ(pthread_attr_init(&attr), 0);
  CHECK_EQ(pthread_attr_setstacksize(&attr, SMALL_STACK), 0);
  CHECK_EQ(pthread_create(&thread, &attr, observe_and_cancel, NULL), 0);
  CHECK_EQ(pthread_join(thread, NULL), 0);
  pthread_attr_destroy(&attr);
  CHECK_EQ(calls, 2);
  CHECK_EQ(cctx_alive(), 1);
  cctx_unref(root);
}

/* ---- Descriptors ---- */

static bool allow_files(rlim_t n) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
  if (limit.rlim_cur >= n) return true;
  limit.rlim_cur = n;
  if (limit.rlim_max < n) limit.rlim_max = n;
  return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

static struct pollfd fds[FDS];

static int count_readable(void) { return poll(fds, FDS, 0); }

TEST(ten_thousand_descriptors_are_told_by_one_cancellation) {
  static cctx *children[FDS];
  int failed = 0;
  cctx *parent;
  if (!allow_files(FDS + 64)) SKIP("the limit of open files is too low");
  cctx_clock_set(CCTX_SECOND);
  parent = cctx_with_cancel(cctx_background());
  for (int i = 0; i < FDS; i++) {
    children[i] = i % 2 ? cctx_with_cancel(parent)
                        : cctx_with_timeout(parent, (1 + i % 4) * CCTX_SECOND);
    fds[i] = (struct pollfd){cctx_done_fd(children[i]), POLLIN, 0};
    failed += fds[i].fd < 0;
  }
  CHECK_EQ(failed, 0);
  CHECK_EQ(count_readable(), 0);
  cctx_clock_set(2 * CCTX_SECOND);
  CHECK_EQ(count_readable(), FDS / 4);
  CHECK_EQ(cctx_cancel(parent, NULL), 1);
  CHECK_EQ(count_readable(), FDS);
  for (int i = 0; i < FDS; i++) cctx_unref(children[i]);
  cctx_unref(parent);
}
