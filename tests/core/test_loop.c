/* SPDX-License-Identifier: Apache-2.0 */
/* Observing by a loop of one's own: order, once or never, deadlines by the clock of the test. */
#include <cctx/current.h>
#include <cctx/loop.h>

#include <poll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "check.h"

/* What was called, in order. */
static char called[256];

static void note(cctx *ctx, void *name) {
  CHECK(cctx_err(ctx) != 0);
  CHECK(cctx_current() == cctx_background());
  strcat(called, name);
}

static cctx_observer observe(cctx *ctx, cctx_loop *loop, const char *name) {
  cctx_observer observer = {NULL, 0};
  CHECK_EQ(cctx_on_done(ctx, loop, note, (void *)name, &observer), 0);
  return observer;
}

static bool is_readable(int fd) {
  struct pollfd at = {fd, POLLIN, 0};
  return poll(&at, 1, 0) == 1;
}

static cctx_loop *begin(void) {
  called[0] = '\0';
  cctx_clock_set(CCTX_SECOND);
  return cctx_loop_new();
}

TEST(a_callback_waits_for_the_run_of_its_loop) {
  cctx_loop *loop = begin();
  cctx *ctx = cctx_with_cancel(cctx_background());
  observe(ctx, loop, "a");
  CHECK_EQ(cctx_loop_run(loop, cctx_now()), 0);
  CHECK_EQ(cctx_loop_next(loop), CCTX_NEVER);
  cctx_cancel(ctx, NULL);
  CHECK_STR(called, "");
  CHECK(cctx_loop_next(loop) <= cctx_now());
  CHECK_EQ(cctx_loop_run(loop, cctx_now()), 1);
  CHECK_STR(called, "a");
  CHECK_EQ(cctx_loop_run(loop, cctx_now()), 0);
  cctx_unref(ctx);
  cctx_loop_free(loop);
}

TEST(what_is_done_already_is_told_at_the_next_run) {
  cctx_loop *loop = begin();
  cctx *ctx = cctx_with_timeout(cctx_background(), -1);
  observe(ctx, loop, "a");
  CHECK_STR(called, "");
  CHECK_EQ(cctx_loop_run(loop, cctx_now()), 1);
  CHECK_STR(called, "a");
  cctx_unref(ctx);
  cctx_loop_free(loop);
}

TEST(what_can_never_be_done_is_never_told_and_can_be_withdrawn_once) {
  cctx_loop *loop = begin();
  cctx_observer observer = observe(cctx_background(), loop, "a");
  CHECK_EQ(cctx_loop_run(loop, cctx_now()), 0);
  CHECK_EQ(cctx_off_done(&observer), 1);
  CHECK_EQ(cctx_off_done(&observer), 0);
  cctx_loop_free(loop);
}

TEST(parents_are_told_before_children_siblings_in_order_of_observation) {
  cctx_loop *loop = begin();
  cctx *root = cctx_with_cancel(cctx_background()), *kids[3], *grandkid;
  for (int i = 0; i < 3; i++) kids[i] = cctx_with_cancel(root);
  grandkid = cctx_with_cancel(kids[2]);
  observe(grandkid, loop, "g");
  observe(kids[1], loop, "b");
  observe(kids[0], loop, "a");
  observe(kids[1], loop, "B");
  observe(root, loop, "r");
  cctx_cancel(root, NULL);
  cctx_loop_run(loop, cctx_now());
  CHECK_STR(called,
            "rbBag"); /* kids[2] was linked first, for its child, and has no observer */
  cctx_unref(grandkid);
  for (int i = 0; i < 3; i++) cctx_unref(kids[i]);
  cctx_unref(root);
  cctx_loop_free(loop);
}

TEST(values_between_are_no_obstacle) {
  cctx_loop *loop = begin();
  cctx *root = cctx_with_cancel(cctx_background());
  cctx *value = cctx_with_value(root, cctx_key_named("loop-test"), cctx_int(1));
  cctx *child = cctx_with_cancel(value);
  observe(value, loop, "v");
  observe(child, loop, "c");
  cctx_cancel(root, NULL);
  cctx_loop_run(loop, cctx_now());
  CHECK_STR(called, "vc");
  cctx_unref(child);
  cctx_unref(value);
  cctx_unref(root);
  cctx_loop_free(loop);
}

TEST(a_withdrawn_callback_never_runs) {
  cctx_loop *loop = begin();
  cctx *ctx = cctx_with_cancel(cctx_background());
  cctx_observer waiting = observe(ctx, loop, "w"), ready = observe(ctx, loop, "r");
  CHECK_EQ(cctx_off_done(&waiting), 1);
  cctx_cancel(ctx, NULL);
  CHECK_EQ(cctx_off_done(&ready), 1); /* told, but not yet called */
  CHECK_EQ(cctx_off_done_wait(&ready), 0);
  CHECK_EQ(cctx_loop_run(loop, cctx_now()), 0);
  CHECK_STR(called, "");
  cctx_unref(ctx);
  cctx_loop_free(loop);
}

static cctx_observer self;
static void withdraw_self(cctx *ctx, void *arg) {
  (void)ctx, (void)arg;
  CHECK_EQ(cctx_off_done(&self), 0);
  CHECK_EQ(cctx_off_done_wait(&self), 0);
}

TEST(a_callback_may_withdraw_itself_without_waiting_for_itself) {
  cctx_loop *loop = begin();
  cctx *ctx = cctx_with_cancel(cctx_background());
  CHECK_EQ(cctx_on_done(ctx, loop, withdraw_self, NULL, &self), 0);
  cctx_cancel(ctx, NULL);
  CHECK_EQ(cctx_loop_run(loop, cctx_now()), 1);
  cctx_unref(ctx);
  cctx_loop_free(loop);
}

static void register_another(cctx *ctx, void *loop) { observe(ctx, loop, "again"); }

TEST(what_a_callback_registers_waits_for_the_next_run) {
  cctx_loop *loop = begin();
  cctx *ctx = cctx_with_cancel(cctx_background());
  CHECK_EQ(cctx_on_done(ctx, loop, register_another, loop, NULL), 0);
  cctx_cancel(ctx, NULL);
  CHECK_EQ(cctx_loop_run(loop, cctx_now()), 1);
  CHECK_STR(called, "");
  CHECK_EQ(cctx_loop_run(loop, cctx_now()), 1);
  CHECK_STR(called, "again");
  cctx_unref(ctx);
  cctx_loop_free(loop);
}

TEST(deadlines_are_told_in_their_order_by_the_clock) {
  cctx_loop *loop = begin();
  cctx *late = cctx_with_deadline(cctx_background(), 3 * CCTX_SECOND);
  cctx *soon = cctx_with_deadline(late, 2 * CCTX_SECOND);
  observe(late, loop, "l");
  observe(soon, loop, "s");
  CHECK_EQ(cctx_loop_next(loop), 2 * CCTX_SECOND);
  CHECK_EQ(cctx_loop_run(loop, 5 * CCTX_SECOND), 0); /* the clock has not got there */
  cctx_clock_set(2 * CCTX_SECOND);
  CHECK_EQ(cctx_loop_run(loop, cctx_now()), 1);
  CHECK_STR(called, "s");
  CHECK_EQ(cctx_loop_next(loop), 3 * CCTX_SECOND);
  cctx_clock_set(3 * CCTX_SECOND);
  CHECK_EQ(cctx_loop_run(loop, cctx_now()), 1);
  CHECK_STR(called, "sl");
  cctx_unref(soon);
  cctx_unref(late);
  cctx_loop_free(loop);
}

TEST(a_cancellation_before_the_deadline_is_told_once) {
  cctx_loop *loop = begin();
  cctx *ctx = cctx_with_deadline(cctx_background(), 2 * CCTX_SECOND);
  observe(ctx, loop, "a");
  cctx_cancel(ctx, NULL);
  cctx_clock_set(3 * CCTX_SECOND);
  CHECK_EQ(cctx_loop_run(loop, cctx_now()), 1);
  CHECK_EQ(cctx_loop_next(loop), CCTX_NEVER);
  CHECK_STR(called, "a");
  cctx_unref(ctx);
  cctx_loop_free(loop);
}

TEST(freeing_a_loop_withdraws_what_is_registered_with_it) {
  cctx_loop *loop = begin();
  cctx *ctx = cctx_with_timeout(cctx_background(), CCTX_SECOND);
  cctx_observer observer = observe(ctx, loop, "a");
  observe(ctx, loop, "b");
  cctx_loop_free(loop);
  CHECK_EQ(cctx_off_done(&observer), 0);
  cctx_cancel(ctx, NULL);
  CHECK_STR(called, "");
  cctx_unref(ctx);
  cctx_loop_free(NULL);
}

TEST(the_loops_descriptor_is_readable_while_there_is_something_to_run) {
  cctx_loop *loop = begin();
  cctx *ctx = cctx_with_cancel(cctx_background());
  cctx *timed = cctx_with_deadline(cctx_background(), 2 * CCTX_SECOND);
  int fd = cctx_loop_fd(loop);
  CHECK(fd >= 0);
  CHECK_EQ(cctx_loop_fd(loop), fd);
  observe(ctx, loop, "a");
  observe(timed, loop, "t");
  CHECK(!is_readable(fd));
  cctx_cancel(ctx, NULL);
  CHECK(is_readable(fd));
  cctx_loop_run(loop, cctx_now());
  CHECK(!is_readable(fd));
  cctx_clock_set(2 * CCTX_SECOND);
  CHECK(is_readable(fd));
  cctx_loop_run(loop, cctx_now());
  CHECK(!is_readable(fd));
  CHECK_STR(called, "at");
  cctx_unref(timed);
  cctx_unref(ctx);
  cctx_loop_free(loop);
}

TEST(an_inline_callback_has_run_when_cancel_returns) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  cctx_loop_free(begin());
  observe(ctx, CCTX_INLINE, "a");
  observe(ctx, CCTX_INLINE, "b");
  CHECK_EQ(cctx_cancel(ctx, NULL), 1);
  CHECK_STR(called, "ab");
  observe(ctx, CCTX_INLINE, "c"); /* done already: here and now */
  CHECK_STR(called, "abc");
  cctx_unref(ctx);
}

static bool observe_and_withdraw(void) {
  cctx_loop *loop = cctx_loop_new();
  cctx *ctx = cctx_with_timeout(cctx_background(), CCTX_SECOND);
  cctx_observer observer;
  bool ok = loop && ctx && cctx_on_done(ctx, loop, note, "", &observer) == 0 &&
            cctx_off_done(&observer) == 1;
  cctx_unref(ctx);
  cctx_loop_free(loop);
  return ok;
}

TEST(observing_without_memory_changes_nothing) {
  cctx_loop_free(begin());
  FAIL_EACH_ALLOCATION(observe_and_withdraw());
}

enum { MANY = 100000 };

TEST(many_children_are_told_in_the_order_of_observation) {
  static cctx *kids[MANY];
  cctx_loop *loop = begin();
  cctx *root = cctx_with_cancel(cctx_background());
  for (int i = 0; i < MANY; i++) {
    kids[i] = cctx_with_cancel(root);
    CHECK(cctx_on_done(kids[i], loop, note, i % (MANY / 4) == 0 ? "x" : "", NULL) == 0);
  }
  cctx_cancel(root, NULL);
  CHECK_EQ(cctx_loop_run(loop, cctx_now()), MANY);
  CHECK_STR(called, "xxxx");
  for (int i = 0; i < MANY; i++) cctx_unref(kids[i]);
  cctx_unref(root);
  cctx_loop_free(loop);
}

TEST(many_deadlines_in_any_order_are_told_in_order) {
  static int64_t last;
  cctx_loop *loop = begin();
  unsigned random = 7;
  for (int i = 0; i < MANY; i++) {
    cctx *ctx;
    random = random * 1664525u + 1013904223u;
    ctx = cctx_with_timeout(cctx_background(), 1 + random % CCTX_SECOND);
    CHECK(cctx_on_done(ctx, loop, note, "", NULL) == 0);
    cctx_unref(ctx);
  }
  for (int i = 0; i < 10; i++) {
    last = cctx_loop_next(loop);
    cctx_clock_set(CCTX_SECOND + (i + 1) * CCTX_SECOND / 10);
    cctx_loop_run(loop, cctx_now());
    CHECK(cctx_loop_next(loop) > last);
  }
  CHECK_EQ(cctx_loop_next(loop), CCTX_NEVER);
  cctx_loop_free(loop);
}

/* ---- System calls ---------------------------------------------------------------- */

/* The library's calls come here too: counted, then made. */
static int settimes;
int timerfd_settime(int fd, int flags, const struct itimerspec *when,
                    struct itimerspec *before) {
  settimes++;
  return (int)syscall(SYS_timerfd_settime, fd, flags, when, before);
}

static void ignore(cctx *ctx, void *arg) { (void)ctx, (void)arg; }

TEST(a_registration_and_its_end_set_the_timer_once_each) {
  cctx_loop *loop = cctx_loop_new();
  cctx *ctx = cctx_with_timeout(cctx_background(), 3600 * CCTX_SECOND);
  cctx_observer observer;
  CHECK(cctx_loop_fd(loop) >= 0);
  settimes = 0;
  CHECK_EQ(cctx_on_done(ctx, loop, ignore, NULL, &observer), 0);
  CHECK_EQ(settimes, 1);
  CHECK_EQ(cctx_off_done(&observer), 1);
  CHECK_EQ(settimes, 2);
  cctx_finish(ctx);
  cctx_loop_free(loop);
}

TEST(a_registration_without_a_deadline_makes_no_system_call) {
  cctx_loop *loop = cctx_loop_new();
  cctx *ctx = cctx_with_cancel(cctx_background());
  cctx_observer observer;
  CHECK(cctx_loop_fd(loop) >= 0);
  settimes = 0;
  CHECK_EQ(cctx_on_done(ctx, loop, ignore, NULL, &observer), 0);
  CHECK_EQ(cctx_off_done(&observer), 1);
  CHECK_EQ(settimes, 0);
  cctx_finish(ctx);
  cctx_loop_free(loop);
}
