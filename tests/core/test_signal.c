/* SPDX-License-Identifier: Apache-2.0 */
/* Signals as causes. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static cctx *on_signal(cctx *parent, int signo) {
  cctx *ctx = NULL;
  CHECK_EQ(cctx_with_signal(&ctx, parent, signo), 0);
  return ctx;
}

/* The thread that cancels gives its reference back a moment later. */
static void settle(void) {
  while (cctx_alive() > 0) usleep(100);
}

static bool is_default(int signo) {
  struct sigaction now;
  sigaction(signo, NULL, &now);
  return !(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_DFL;
}

TEST(a_signal_ends_every_context_that_waits_for_it_and_says_so) {
  cctx *one = on_signal(cctx_background(), SIGUSR1), *two = on_signal(one, SIGUSR1);
  cctx *other = on_signal(cctx_background(), SIGUSR2), *child = cctx_with_cancel(two);
  struct cctx_cause cause;
  raise(SIGUSR1);
  CHECK_EQ(cctx_wait(child, CCTX_NEVER), CCTX_ECANCELED);
  CHECK_EQ(cctx_wait(one, CCTX_NEVER), CCTX_ECANCELED);
  CHECK_EQ(cctx_cause(one, &cause), CCTX_ECANCELED);
  CHECK_STR(cause.message, "SIGUSR1 received");
  CHECK_EQ(cctx_err(other), 0);
  cctx_unref(child);
  cctx_unref(two);
  cctx_unref(one);
  cctx_unref(other);
  settle();
}

TEST(the_disposition_is_back_when_nobody_waits_any_more) {
  cctx *one = on_signal(cctx_background(), SIGUSR1);
  cctx *two = on_signal(cctx_background(), SIGUSR1);
  cctx_unref(one);
  CHECK(!is_default(SIGUSR1));
  cctx_unref(two);
  CHECK(is_default(SIGUSR1));
  one = on_signal(cctx_background(), SIGUSR1); /* and it can be asked for again */
  raise(SIGUSR1);
  CHECK_EQ(cctx_wait(one, CCTX_NEVER), CCTX_ECANCELED);
  cctx_unref(one);
  settle();
  CHECK(is_default(SIGUSR1));
}

static volatile sig_atomic_t before_called;
static void count(int signo) { before_called += signo == SIGUSR1; }

TEST(the_handler_that_was_there_is_called_too_and_put_back) {
  cctx *ctx;
  signal(SIGUSR1, count);
  ctx = on_signal(cctx_background(), SIGUSR1);
  raise(SIGUSR1);
  CHECK_EQ(cctx_wait(ctx, CCTX_NEVER), CCTX_ECANCELED);
  CHECK_EQ(before_called, 1);
  cctx_unref(ctx);
  settle();
  raise(SIGUSR1);
  CHECK_EQ(before_called, 2);
  signal(SIGUSR1, SIG_DFL);
}

TEST(a_signal_that_cannot_be_handled_is_refused) {
  cctx *ctx = cctx_todo();
  const int wrong[] = {0, -1, 100000, SIGKILL};
  for (int i = 0; i < 4; i++)
    CHECK_EQ(cctx_with_signal(&ctx, cctx_background(), wrong[i]), CCTX_EINVAL);
  CHECK(ctx == cctx_todo());
}

TEST(canceling_it_needs_no_signal) {
  cctx *ctx = on_signal(cctx_background(), SIGUSR1);
  CHECK_EQ(cctx_cancel(ctx, "by hand"), 1);
  CHECK_EQ(cctx_err(ctx), CCTX_ECANCELED);
  cctx_unref(ctx);
  CHECK(is_default(SIGUSR1));
}

/* A thread that is just being started may hold locks of the C library, or of a sanitizer, which
 * a fork would leave locked in the child. */
static void have_the_thread_started(void) {
  cctx *ctx = on_signal(cctx_background(), SIGUSR2);
  raise(SIGUSR2);
  CHECK_EQ(cctx_wait(ctx, CCTX_NEVER), CCTX_ECANCELED);
  cctx_unref(ctx);
  settle();
}

TEST(in_the_child_of_a_fork_only_its_own_contexts_end) {
  cctx *ctx;
  int status;
  pid_t child;
  have_the_thread_started();
  ctx = on_signal(cctx_background(), SIGUSR1);
  child = fork();
  if (child == 0) {
    cctx *own = NULL;
    int wrong = cctx_with_signal(&own, cctx_background(), SIGUSR1) != 0;
    alarm(20);
    raise(SIGUSR1);
    if (cctx_wait(own, CCTX_NEVER) != CCTX_ECANCELED) wrong |= 2;
    if (cctx_err(ctx) != 0) wrong |= 4;
    _exit(wrong);
  }
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK_EQ(WEXITSTATUS(status), 0);
  CHECK_EQ(cctx_err(ctx), 0);
  cctx_unref(ctx);
}

static bool wait_for_signal_and_drop(void) {
  cctx *ctx = NULL;
  int status = cctx_with_signal(&ctx, cctx_background(), SIGUSR2);
  cctx_unref(ctx);
  return status == 0;
}

TEST(without_memory_the_signal_is_left_alone) {
  FAIL_EACH_ALLOCATION(wait_for_signal_and_drop());
  CHECK(is_default(SIGUSR2));
}
