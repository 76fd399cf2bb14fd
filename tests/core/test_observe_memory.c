/* SPDX-License-Identifier: Apache-2.0 */
/* Observing where there is no memory, no descriptor and no thread left. */
#include <cctx/current.h>
#include <cctx/loop.h>

#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static int calls;
static void count(cctx *ctx, void *arg) {
  (void)arg;
  CHECK(cctx_err(ctx) != 0);
  calls++;
}

static void all_memory_again(void) {
  check_arm(0, false);
  cctx_set_allocator(NULL);
}

static bool is_readable(int fd) {
  struct pollfd at = {fd, POLLIN, 0};
  return poll(&at, 1, 0) == 1;
}

/* ---- No memory ---- */

static cctx *parent;

/* Every function of the chapter, by `loop`: what fails, fails for lack of memory. */
static bool observe_all(cctx_loop *loop, bool cancel) {
  cctx *ctx = cctx_with_cancel(parent);
  cctx_observer observers[2];
  bool ok = loop != NULL && ctx != NULL;
  calls = 0;
  for (int i = 0; ok && i < 2; i++) {
    int status = cctx_on_done(ctx, loop, count, NULL, &observers[i]);
    if (status != 0) CHECK_EQ(status, CCTX_ENOMEM);
    ok = status == 0;
  }
  if (ok) {
    CHECK_EQ(cctx_off_done(&observers[0]), 1);
    CHECK(cctx_done_fd(ctx) >= 0);
    CHECK_EQ(cctx_wait(ctx, INT64_MIN), 0);
  }
  if (ok && cancel) {
    CHECK_EQ(cctx_cancel(ctx, NULL), 1);
    CHECK_EQ(cctx_wait(ctx, CCTX_NEVER), CCTX_ECANCELED);
    CHECK(is_readable(cctx_done_fd(ctx)));
    if (loop != CCTX_INLINE) CHECK_EQ(cctx_loop_run(loop, cctx_now()), 1);
    CHECK_EQ(calls, 1);
  }
  cctx_unref(ctx);
  if (loop != CCTX_INLINE) cctx_loop_free(loop);
  CHECK_EQ(calls, ok && cancel);
  return ok;
}

TEST(observing_fails_whole_or_not_at_all) {
  parent = cctx_with_timeout(cctx_background(), 3600 * CCTX_SECOND);
  FAIL_EACH_ALLOCATION(observe_all(cctx_loop_new(), true));
  FAIL_EACH_ALLOCATION(observe_all(cctx_loop_new(), false));
  cctx_unref(parent);
  parent = cctx_background();
  FAIL_EACH_ALLOCATION(observe_all(cctx_loop_new(), true));
  FAIL_EACH_ALLOCATION(observe_all(CCTX_INLINE, true));
}

/* The library keeps the memory of registrations, so it is all used up first. */
TEST(a_registration_without_memory_keeps_nothing_and_is_never_called) {
  enum { MANY = 4096 };
  static cctx_observer observers[MANY];
  cctx_loop *loop = cctx_loop_new();
  cctx *ctx = cctx_with_cancel(cctx_background()), *spare = cctx_with_cancel(ctx);
  int n = 0, status;
  calls = 0;
  check_arm(1, true);
  while (n < MANY && (status = cctx_on_done(ctx, loop, count, NULL, &observers[n])) == 0)
    n++;
  CHECK_EQ(status, CCTX_ENOMEM);
  CHECK(check_memory.hit);
  CHECK_EQ(cctx_on_done(spare, loop, count, NULL, NULL), CCTX_ENOMEM);
  CHECK_EQ(cctx_on_done(spare, CCTX_INLINE, count, NULL, NULL), CCTX_ENOMEM);
  CHECK_EQ(cctx_on_done(spare, NULL, count, NULL, NULL), CCTX_ENOMEM);
  if (n > 0) CHECK_EQ(cctx_off_done(&observers[0]), 1);
  if (n > 0) CHECK_EQ(cctx_on_done(ctx, loop, count, NULL, &observers[0]), 0);
  CHECK_EQ(cctx_cancel(ctx, NULL), 1);
  CHECK_EQ(cctx_loop_run(loop, cctx_now()), n);
  CHECK_EQ(calls, n);
  CHECK_EQ(check_memory.live, 0);
  all_memory_again();
  cctx_unref(spare);
  CHECK_EQ(cctx_alive(), 1); /* the failed registrations kept no reference */
  cctx_unref(ctx);
  cctx_loop_free(loop);
}

TEST(telling_and_withdrawing_take_no_memory) {
  cctx_loop *loop = cctx_loop_new();
  cctx *ctx = cctx_with_cancel(cctx_background());
  cctx_observer observer;
  cctx_token token;
  CHECK_EQ(cctx_attach(ctx, &token), 0); /* this thread has its stack of scopes */
  CHECK_EQ(cctx_on_done(ctx, loop, count, NULL, &observer), 0);
  CHECK_EQ(cctx_on_done(ctx, loop, count, NULL, NULL), 0);
  CHECK_EQ(cctx_on_done(ctx, CCTX_INLINE, count, NULL, NULL), 0);
  calls = 0;
  check_arm(1, true);
  CHECK_EQ(cctx_off_done_wait(&observer), 1);
  CHECK_EQ(cctx_cancel(ctx, NULL), 1);
  CHECK_EQ(cctx_loop_next(loop) <= cctx_now(), true);
  CHECK_EQ(cctx_loop_run(loop, cctx_now()), 1);
  CHECK_EQ(cctx_wait(ctx, CCTX_NEVER), CCTX_ECANCELED);
  CHECK_EQ(calls, 2);
  CHECK_EQ(check_memory.calls, 0);
  all_memory_again();
  CHECK_EQ(cctx_detach(&token), 0);
  cctx_unref(ctx);
  cctx_loop_free(loop);
}

/* ---- No descriptors, no threads ---- */

static struct rlimit before;

static bool limit_to(int resource, rlim_t n) {
  struct rlimit limit;
  if (getrlimit(resource, &before) != 0) return false;
  limit = before;
  limit.rlim_cur = n;
  return setrlimit(resource, &limit) == 0;
}

TEST(without_descriptors_the_calls_fail_and_later_succeed) {
  cctx_loop *loop = cctx_loop_new();
  cctx *ctx = cctx_with_cancel(cctx_background()), *child = cctx_with_cancel(ctx);
  calls = 0;
  CHECK_EQ(cctx_on_done(child, loop, count, NULL, NULL), 0);
  CHECK(limit_to(RLIMIT_NOFILE, 0));
  CHECK_EQ(cctx_done_fd(ctx), CCTX_ENOMEM);
  CHECK_EQ(cctx_done_fd(child), CCTX_ENOMEM);
  CHECK_EQ(cctx_loop_fd(loop), CCTX_ENOMEM);
  CHECK_EQ(cctx_cancel(ctx, NULL), 1);
  CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  CHECK(is_readable(cctx_done_fd(child)));
  CHECK(is_readable(cctx_loop_fd(loop)));
  CHECK_EQ(cctx_loop_run(loop, cctx_now()), 1);
  CHECK_EQ(calls, 1);
  cctx_unref(child);
  cctx_unref(ctx);
  cctx_loop_free(loop);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
/* In a child, where the library's thread does not run yet. */
static int observe_without_threads(void) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  cctx *timed = cctx_with_timeout(cctx_background(), 3600 * CCTX_SECOND);
  int wrong = 0;
  if (!limit_to(RLIMIT_AS, 4096)) wrong |= 1;
  if (cctx_on_done(ctx, NULL, count, NULL, NULL) != CCTX_ENOMEM) wrong |= 2;
  if (cctx_on_done(timed, CCTX_INLINE, count, NULL, NULL) != CCTX_ENOMEM) wrong |= 4;
  if (cctx_on_done(ctx, CCTX_INLINE, count, NULL, NULL) != 0) wrong |= 8;
  setrlimit(RLIMIT_AS, &before);
  if (cctx_on_done(timed, NULL, count, NULL, NULL) != 0) wrong |= 16;
  if (cctx_cancel(ctx, NULL) != 1 || calls != 1) wrong |= 32;
  cctx_unref(ctx);
  if (cctx_alive() != 1) wrong |= 64;
  return wrong;
}

TEST(without_threads_only_what_needs_one_fails) {
  int status = -1;
  pid_t child;
  cctx_observer observer;
  cctx *ctx = cctx_with_cancel(cctx_background());
  CHECK_EQ(cctx_on_done(ctx, CCTX_INLINE, count, NULL, &observer), 0);
  CHECK_EQ(cctx_off_done(&observer), 1); /* there is memory for registrations */
  cctx_unref(ctx);
  calls = 0;
  child = fork();
  if (child == 0) _exit(observe_without_threads());
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK(WIFEXITED(status));
  CHECK_EQ(WEXITSTATUS(status), 0);
}
#endif
