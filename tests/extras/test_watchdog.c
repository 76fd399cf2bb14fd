/* SPDX-License-Identifier: Apache-2.0 */
/* Idle timeouts, on a clock that the test drives. */
#include <cctx/watchdog.h>

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

/* What each test has; the clock stands at 100 s. */
static cctx_loop *loop;
static cctx *ctx;
static cctx_watchdog *dog;

static void begin(int64_t timeout) {
  cctx_clock_set(100 * CCTX_SECOND);
  loop = cctx_loop_new();
  ctx = cctx_with_cancel(cctx_background());
  dog = cctx_watchdog_new(ctx, loop, timeout, "idle");
  CHECK(dog != NULL);
}

static void end(void) {
  cctx_watchdog_free(dog);
  cctx_unref(ctx);
  cctx_loop_free(loop);
}

/* Let time pass to `second`, and the loop run: whether the context is done. */
static int err_at(int second) {
  cctx_clock_set(second * CCTX_SECOND);
  cctx_loop_run(loop, cctx_now());
  return cctx_err(ctx);
}

TEST(a_watchdog_that_is_not_fed_cancels_with_its_message_and_place) {
  struct cctx_cause cause;
  begin(10 * CCTX_SECOND);
  CHECK_EQ(err_at(109), 0);
  CHECK_EQ(cctx_loop_next(loop), 110 * CCTX_SECOND);
  CHECK_EQ(err_at(110), CCTX_ECANCELED);
  cctx_cause(ctx, &cause);
  CHECK_STR(cause.message, "idle");
  CHECK(strstr(cause.file, "test_watchdog.c") != NULL);
  CHECK(cause.line > 0);
  CHECK_EQ(cctx_loop_next(loop), CCTX_NEVER);
  end();
}

TEST(feeding_puts_it_off_to_the_timeout_after_the_last_time) {
  begin(10 * CCTX_SECOND);
  CHECK_EQ(err_at(103), 0);
  cctx_watchdog_feed(dog);
  CHECK_EQ(err_at(107), 0);
  cctx_watchdog_feed(dog);
  CHECK_EQ(cctx_loop_next(loop), 110 * CCTX_SECOND); /* feeding moves no timer */
  CHECK_EQ(err_at(112), 0);
  CHECK_EQ(cctx_loop_next(loop), 117 * CCTX_SECOND);
  CHECK_EQ(err_at(116), 0);
  CHECK_EQ(err_at(117), CCTX_ECANCELED);
  cctx_watchdog_feed(dog);
  CHECK_EQ(cctx_err(ctx), CCTX_ECANCELED);
  end();
}

TEST(feeding_neither_allocates_nor_observes) {
  size_t alive;
  begin(10 * CCTX_SECOND);
  alive = cctx_alive();
  check_arm(1, true);
  for (int i = 0; i < 1000; i++) cctx_watchdog_feed(dog);
  CHECK_EQ(check_memory.calls, 0);
  cctx_set_allocator(NULL);
  CHECK_EQ(cctx_alive(), alive);
  end();
}

TEST(a_freed_watchdog_cancels_nothing) {
  begin(10 * CCTX_SECOND);
  cctx_watchdog_free(dog);
  dog = NULL;
  CHECK_EQ(cctx_loop_next(loop), CCTX_NEVER);
  CHECK_EQ(err_at(200), 0);
  end();
}

TEST(a_context_that_is_done_already_ends_the_watch) {
  struct cctx_cause cause;
  begin(10 * CCTX_SECOND);
  cctx_cancel(ctx, "by hand");
  cctx_clock_set(105 * CCTX_SECOND);
  cctx_watchdog_feed(dog);
  CHECK_EQ(err_at(110), CCTX_ECANCELED);
  CHECK_EQ(cctx_loop_next(loop), CCTX_NEVER);
  cctx_cause(ctx, &cause);
  CHECK_STR(cause.message, "by hand");
  end();
}

TEST(timeouts_at_the_ends_of_their_range) {
  begin(CCTX_NEVER);
  CHECK_EQ(err_at(1000000), 0);
  end();
  begin(0);
  CHECK_EQ(err_at(100), CCTX_ECANCELED);
  end();
  begin(INT64_MIN);
  CHECK_EQ(err_at(100), CCTX_ECANCELED);
  end();
}

TEST(the_loop_may_be_freed_before_the_watchdog) {
  begin(10 * CCTX_SECOND);
  cctx_loop_free(loop);
  loop = NULL;
  end();
}

static void free_dog(cctx *done, void *unused) {
  (void)done, (void)unused;
  cctx_watchdog_free(dog);
  dog = NULL;
}

TEST(a_callback_of_its_cancellation_may_free_it) {
  begin(10 * CCTX_SECOND);
  CHECK_EQ(cctx_on_done(ctx, CCTX_INLINE, free_dog, NULL, NULL), 0);
  CHECK_EQ(err_at(110), CCTX_ECANCELED);
  CHECK(dog == NULL);
  end();
}

TEST(without_a_message_the_cause_has_the_plain_one) {
  struct cctx_cause cause;
  begin(10 * CCTX_SECOND);
  cctx_watchdog_free(dog);
  dog = cctx_watchdog_new_at(ctx, loop, CCTX_SECOND, NULL, NULL, 0);
  CHECK_EQ(err_at(101), CCTX_ECANCELED);
  cctx_cause(ctx, &cause);
  CHECK_STR(cause.message, cctx_status_message(CCTX_ECANCELED));
  CHECK_STR(cause.file, "");
  end();
}

/* ---- Memory ----------------------------------------------------------------------- */

static bool watch_once(void) {
  cctx_watchdog *made;
  cctx *of = cctx_with_cancel(cctx_background());
  if (of == NULL) return false;
  made = cctx_watchdog_new(of, loop, CCTX_SECOND, "idle");
  cctx_watchdog_free(made);
  cctx_unref(of);
  return made != NULL;
}

TEST(a_watchdog_for_which_there_is_no_memory_is_none) {
  begin(10 * CCTX_SECOND);
  FAIL_EACH_ALLOCATION(watch_once());
  end();
}

TEST(a_watchdog_that_cannot_watch_on_cancels_and_says_so) {
  struct cctx_cause cause;
  begin(10 * CCTX_SECOND);
  cctx_clock_set(105 * CCTX_SECOND);
  cctx_watchdog_feed(dog);
  check_arm(1, true);
  CHECK_EQ(err_at(110), CCTX_ECANCELED);
  cctx_set_allocator(NULL);
  cctx_cause(ctx, &cause);
  CHECK_STR(cause.message, "no memory to watch on");
  end();
}

/* ---- Threads and processes ----------------------------------------------------------- */

TEST(without_a_loop_the_librarys_thread_cancels) {
  cctx *of = cctx_with_cancel(cctx_background());
  cctx_watchdog *made = cctx_watchdog_new(of, CCTX_INLINE, CCTX_MILLISECOND, "idle");
  CHECK_EQ(cctx_wait(of, CCTX_NEVER), CCTX_ECANCELED);
  cctx_watchdog_free(made);
  cctx_unref(of);
}

TEST(an_inline_watchdog_of_no_time_cancels_by_the_librarys_thread) {
  cctx *of = cctx_with_cancel(cctx_background());
  cctx_watchdog *made = cctx_watchdog_new(of, CCTX_INLINE, 0, "idle");
  CHECK_EQ(cctx_wait(of, CCTX_NEVER), CCTX_ECANCELED);
  cctx_watchdog_free(made);
  cctx_unref(of);
}

static atomic_bool stop_feeding;
static void *feed_body(void *unused) {
  (void)unused;
  while (!atomic_load(&stop_feeding)) cctx_watchdog_feed(dog);
  return NULL;
}

TEST(threads_feed_while_the_loop_runs) {
  enum { THREADS = 2 };
  pthread_t threads[THREADS];
  begin(10 * CCTX_SECOND);
  atomic_store(&stop_feeding, false);
  for (int i = 0; i < THREADS; i++)
    CHECK_EQ(pthread_create(&threads[i], NULL, feed_body, NULL), 0);
  for (int second = 100; second < 150; second++) {
    cctx_clock_set(second * CCTX_SECOND);
    usleep(100);
    cctx_loop_run(loop, cctx_now());
  }
  atomic_store(&stop_feeding, true);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  cctx_watchdog_feed(dog); /* a thread may have been held up between clock and note */
  CHECK_EQ(cctx_err(ctx) != 0 || err_at(158) == 0, 1);
  CHECK_EQ(err_at(159), CCTX_ECANCELED);
  end();
}

TEST(free_races_with_the_librarys_thread) {
  for (int i = 0; i < 50; i++) {
    cctx *of = cctx_with_cancel(cctx_background());
    cctx_watchdog *made = cctx_watchdog_new(of, NULL, i * 10000, "idle");
    cctx_watchdog_feed(made);
    if (i % 2) usleep((useconds_t)(i * 10));
    cctx_watchdog_free(made);
    cctx_unref(of);
  }
  while (cctx_alive() > 0) usleep(100); /* the thread may hold the last context still */
}

TEST(in_the_child_of_a_fork_it_does_nothing) {
  int status = 0;
  pid_t child;
  begin(10 * CCTX_SECOND);
  child = fork();
  if (child == 0) {
    alarm(20);
    _exit(err_at(200) == 0 ? 0 : 1);
  }
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  CHECK_EQ(err_at(110), CCTX_ECANCELED);
  end();
}
