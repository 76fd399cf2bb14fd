/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting, descriptors and the library's own thread, with other threads and processes. */
#include <cctx/loop.h>

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static bool is_readable(int fd) {
  struct pollfd at = {fd, POLLIN, 0};
  return poll(&at, 1, 0) == 1;
}

/* ---- cctx_wait ---------------------------------------------------------------------- */

static void *cancel_body(void *ctx) {
  cctx_cancel(ctx, "enough");
  return NULL;
}

TEST(wait_returns_when_another_thread_cancels) {
  cctx *ctx = cctx_with_cancel(cctx_background()), *child = cctx_with_cancel(ctx);
  pthread_t thread;
  pthread_create(&thread, NULL, cancel_body, ctx);
  CHECK_EQ(cctx_wait(child, CCTX_NEVER), CCTX_ECANCELED);
  pthread_join(thread, NULL);
  cctx_unref(child);
  cctx_unref(ctx);
}

TEST(wait_polls_where_its_time_has_passed) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  CHECK_EQ(cctx_wait(ctx, INT64_MIN), 0);
  CHECK_EQ(cctx_wait(cctx_background(), cctx_now()), 0);
  cctx_cancel(ctx, NULL);
  CHECK_EQ(cctx_wait(ctx, INT64_MIN), CCTX_ECANCELED);
  cctx_unref(ctx);
}

static void *advance_body(void *now) {
  cctx_clock_set(*(int64_t *)now);
  return NULL;
}

TEST(wait_follows_a_clock_that_is_set) {
  int64_t now = 3 * CCTX_SECOND;
  pthread_t thread;
  cctx *ctx;
  cctx_clock_set(CCTX_SECOND);
  ctx = cctx_with_timeout(cctx_background(), CCTX_SECOND);
  pthread_create(&thread, NULL, advance_body, &now);
  CHECK_EQ(cctx_wait(ctx, CCTX_NEVER), CCTX_EDEADLINE);
  pthread_join(thread, NULL);
  cctx_unref(ctx);
}

TEST(wait_ends_at_a_real_deadline_and_at_its_own_limit) {
  cctx *ctx = cctx_with_timeout(cctx_background(), 5 * CCTX_MILLISECOND);
  int64_t limit = cctx_deadline_after(2 * CCTX_MILLISECOND);
  cctx_wait(ctx, limit); /* done or not: the machine may have been slow */
  CHECK(cctx_now() >= limit);
  CHECK_EQ(cctx_wait(ctx, CCTX_NEVER), CCTX_EDEADLINE);
  CHECK(cctx_now() >= cctx_deadline(ctx));
  cctx_unref(ctx);
}

/* ---- cctx_done_fd ------------------------------------------------------------------- */

TEST(the_descriptor_is_readable_once_the_context_is_done_and_stays_so) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  cctx *value = cctx_with_value(ctx, cctx_key_named("wait-test"), cctx_nil());
  int fd = cctx_done_fd(value);
  CHECK(fd >= 0);
  CHECK_EQ(cctx_done_fd(ctx), fd); /* nothing between can stop by itself */
  CHECK(!is_readable(fd));
  cctx_cancel(ctx, NULL);
  CHECK(is_readable(fd));
  CHECK(is_readable(fd));
  CHECK_EQ(cctx_done_fd(ctx), fd);
  CHECK(is_readable(fd));
  cctx_unref(value);
  cctx_unref(ctx);
}

TEST(the_descriptor_of_what_is_done_is_readable_at_once) {
  cctx *ctx = cctx_with_timeout(cctx_background(), 0);
  CHECK(is_readable(cctx_done_fd(ctx)));
  cctx_unref(ctx);
}

TEST(the_descriptor_of_a_child_follows_the_parent) {
  cctx *root = cctx_with_cancel(cctx_background()), *child = cctx_with_cancel(root);
  int fd = cctx_done_fd(child);
  CHECK(fd != cctx_done_fd(root));
  cctx_cancel(root, NULL);
  CHECK(is_readable(fd));
  cctx_unref(child);
  cctx_unref(root);
}

TEST(the_descriptor_follows_the_clock) {
  cctx *ctx;
  cctx_clock_set(CCTX_SECOND);
  ctx = cctx_with_timeout(cctx_background(), CCTX_SECOND);
  CHECK(!is_readable(cctx_done_fd(ctx)));
  cctx_clock_set(2 * CCTX_SECOND);
  CHECK(is_readable(cctx_done_fd(ctx)));
  cctx_unref(ctx);
}

TEST(the_descriptor_rings_at_a_real_deadline_without_any_thread) {
  cctx *ctx = cctx_with_timeout(cctx_background(), 5 * CCTX_MILLISECOND);
  struct pollfd at = {cctx_done_fd(ctx), POLLIN, 0};
  CHECK_EQ(poll(&at, 1, 10000), 1);
  CHECK_EQ(cctx_err(ctx), CCTX_EDEADLINE);
  cctx_unref(ctx);
}

TEST(the_descriptor_of_what_can_never_be_done_is_never_readable) {
  int fd = cctx_done_fd(cctx_background());
  CHECK(fd >= 0);
  CHECK_EQ(cctx_done_fd(cctx_todo()), fd);
  CHECK(!is_readable(fd));
}

TEST(a_context_that_is_freed_closes_its_descriptor) {
  int fds[2];
  for (int i = 0; i < 2; i++) {
    cctx *ctx = cctx_with_cancel(cctx_background());
    fds[i] = cctx_done_fd(ctx);
    cctx_unref(ctx);
  }
  CHECK_EQ(fds[0], fds[1]);
}

/* ---- The library's own thread ------------------------------------------------------- */

static atomic_int calls;
static void count(cctx *ctx, void *caller) {
  if (caller) *(pthread_t *)caller = pthread_self();
  CHECK(cctx_err(ctx) != 0);
  atomic_fetch_add(&calls, 1);
}

static void wait_for_calls(int n) {
  while (atomic_load(&calls) < n) usleep(100);
}

TEST(without_a_loop_the_librarys_thread_calls) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  cctx_observer observer;
  pthread_t caller;
  atomic_store(&calls, 0);
  CHECK_EQ(cctx_on_done(ctx, NULL, count, &caller, &observer), 0);
  cctx_cancel(ctx, NULL);
  wait_for_calls(1);
  /* The callback holds a reference until it has returned. */
  CHECK_EQ(cctx_off_done_wait(&observer), 0);
  CHECK(!pthread_equal(caller, pthread_self()));
  cctx_unref(ctx);
}

TEST(an_inline_callback_is_told_of_a_deadline_by_the_librarys_thread) {
  cctx *ctx = cctx_with_timeout(cctx_background(), CCTX_MILLISECOND);
  cctx_observer observer;
  atomic_store(&calls, 0);
  CHECK_EQ(cctx_on_done(ctx, CCTX_INLINE, count, NULL, &observer), 0);
  wait_for_calls(1);
  CHECK_EQ(cctx_off_done_wait(&observer), 0);
  cctx_unref(ctx);
}

static atomic_int stage;
static void hold(cctx *ctx, void *arg) {
  (void)ctx, (void)arg;
  atomic_store(&stage, 1);
  while (atomic_load(&stage) < 2) usleep(100);
  usleep(2000); /* the other thread is inside its wait, or comes there too late to tell */
  atomic_store(&stage, 3);
}

TEST(off_done_wait_returns_after_a_running_callback_has) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  cctx_observer observer;
  atomic_store(&stage, 0);
  CHECK_EQ(cctx_on_done(ctx, NULL, hold, NULL, &observer), 0);
  cctx_cancel(ctx, NULL);
  while (atomic_load(&stage) < 1) usleep(100);
  CHECK_EQ(cctx_off_done(&observer), 0); /* does not wait */
  CHECK_EQ(atomic_load(&stage), 1);
  atomic_store(&stage, 2);
  CHECK_EQ(cctx_off_done_wait(&observer), 0);
  CHECK_EQ(atomic_load(&stage), 3);
  cctx_unref(ctx);
}

/* ---- Fork ---------------------------------------------------------------------------- */

/* What the child found, as its exit status. */
static int status_of(pid_t child) {
  int status;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* A thread that is just being started may hold locks of the C library, or of a sanitizer, which
 * a fork would leave locked in the child. */
static void have_the_thread_started(void) {
  cctx *ctx = cctx_with_timeout(cctx_background(), -1);
  cctx_observer observer;
  atomic_store(&calls, 0);
  CHECK_EQ(cctx_on_done(ctx, NULL, count, NULL, &observer), 0);
  wait_for_calls(1);
  CHECK_EQ(cctx_off_done_wait(&observer), 0);
  cctx_unref(ctx);
}

TEST(after_a_fork_nothing_registered_before_is_called_and_new_things_work) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  int fd = cctx_done_fd(ctx);
  cctx_observer observer;
  pid_t child;
  have_the_thread_started();
  atomic_store(&calls, 0);
  CHECK_EQ(cctx_on_done(ctx, NULL, count, NULL, &observer), 0);
  CHECK_EQ(cctx_on_done(ctx, CCTX_INLINE, count, NULL, NULL), 0);
  child = fork();
  if (child == 0) {
    cctx *own = cctx_with_cancel(ctx);
    int wrong = 0;
    alarm(20);
    if (cctx_on_done(own, NULL, count, NULL, NULL) != 0) wrong |= 1;
    if (cctx_cancel(ctx, NULL) != 1 || cctx_err(own) != CCTX_ECANCELED) wrong |= 2;
    wait_for_calls(1);
    usleep(2000);
    if (atomic_load(&calls) != 1) wrong |= 4;
    if (!is_readable(cctx_done_fd(ctx))) wrong |= 8;
    _exit(wrong);
  }
  CHECK_EQ(status_of(child), 0);
  CHECK(!is_readable(fd)); /* the child's cancellation did not ring here */
  CHECK_EQ(cctx_err(ctx), 0);
  CHECK_EQ(atomic_load(&calls), 0);
  cctx_cancel(ctx, NULL);
  CHECK(is_readable(fd));
  wait_for_calls(2);
  CHECK_EQ(cctx_off_done_wait(&observer), 0);
  cctx_unref(ctx);
}
