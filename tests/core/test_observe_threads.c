/* SPDX-License-Identifier: Apache-2.0 */
/* Observing while other threads cancel, derive, give back and withdraw: each callback is
 * called once or prevented, and never both. */
#include <cctx/loop.h>

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "check.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { ROUNDS = 100 };
#else
enum { ROUNDS = 400 };
#endif
enum { MANY = 12, KINDS = 3 };

/* ---- A loop that is run by a thread of its own ---- */

static cctx_loop *loop;
static pthread_t loop_thread;
static cctx *loop_end;
static bool loop_ended; /* the loop's thread's own */

static void end_loop(cctx *ctx, void *arg) {
  (void)ctx, (void)arg;
  loop_ended = true;
}

static void *run_loop(void *arg) {
  struct pollfd at = {*(int *)arg, POLLIN, 0};
  while (!loop_ended)
    if (poll(&at, 1, 10000) == 1) cctx_loop_run(loop, cctx_now());
  return NULL;
}

static void start_loop(void) {
  static int fd;
  loop = cctx_loop_new();
  fd = cctx_loop_fd(loop);
  loop_end = cctx_with_cancel(cctx_background());
  loop_ended = false;
  CHECK_EQ(cctx_on_done(loop_end, loop, end_loop, NULL, NULL), 0);
  CHECK_EQ(pthread_create(&loop_thread, NULL, run_loop, &fd), 0);
}

static void stop_loop(void) {
  cctx_cancel(loop_end, NULL);
  CHECK_EQ(pthread_join(loop_thread, NULL), 0);
  cctx_unref(loop_end);
  cctx_loop_free(loop);
}

/* ---- Callbacks that are counted ---- */

struct told {
  atomic_int calls;
  int prevented;
  bool registered;
  cctx_observer observer;
};

static struct told told[MANY];

static void count(cctx *ctx, void *arg) {
  struct told *at = arg;
  CHECK(cctx_err(ctx) != 0);
  atomic_fetch_add(&at->calls, 1);
}

static void forget_counts(void) {
  for (int i = 0; i < MANY; i++) {
    atomic_store(&told[i].calls, 0);
    told[i].prevented = 0;
    told[i].registered = false;
  }
}

static cctx_loop *kind(int i) {
  return i % KINDS == 0 ? loop : i % KINDS == 1 ? NULL : CCTX_INLINE;
}

static void observe(cctx *ctx, int i) {
  CHECK_EQ(cctx_on_done(ctx, kind(i), count, &told[i], &told[i].observer), 0);
  told[i].registered = true;
}

/* What was not prevented is called, be it a little later; then nothing more happens. */
static void check_counts(void) {
  int64_t patience = cctx_deadline_after(20 * CCTX_SECOND);
  for (int i = 0; i < MANY; i++) {
    if (!told[i].registered) continue;
    while (atomic_load(&told[i].calls) + told[i].prevented == 0 && cctx_now() < patience)
      sched_yield();
    cctx_off_done_wait(&told[i].observer);
    CHECK_EQ(atomic_load(&told[i].calls) + told[i].prevented, 1);
  }
}

/* ---- Rounds: the bodies of all threads begin each one together ---- */

enum { THREADS = 3 };

static cctx *shared;
static pthread_barrier_t gate;

struct worker {
  void (*body)(int round);
  pthread_t thread;
};

static void *work(void *arg) {
  const struct worker *worker = arg;
  for (int round = 0; round < ROUNDS; round++) {
    pthread_barrier_wait(&gate);
    worker->body(round);
    pthread_barrier_wait(&gate);
  }
  return NULL;
}

static cctx *new_plain(int round) {
  (void)round;
  return cctx_with_cancel(cctx_background());
}

static cctx *new_timed(int round) {
  return cctx_with_timeout(cctx_background(), round % 50 * 1000);
}

static void nothing(int round) { (void)round; }

/* `before` is done alone with the new shared context, the bodies at once. */
static void race(cctx *(*make)(int), void (*before)(int), void (*bodies[THREADS])(int)) {
  struct worker workers[THREADS];
  start_loop();
  CHECK_EQ(pthread_barrier_init(&gate, NULL, THREADS + 1), 0);
  for (int i = 0; i < THREADS; i++) {
    workers[i].body = bodies[i];
    CHECK_EQ(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
  }
  for (int round = 0; round < ROUNDS; round++) {
    forget_counts();
    shared = make(round);
    before(round);
    pthread_barrier_wait(&gate);
    pthread_barrier_wait(&gate);
    CHECK(cctx_wait(shared, cctx_deadline_after(CCTX_SECOND)) != 0);
    check_counts();
    cctx_unref(shared);
  }
  for (int i = 0; i < THREADS; i++) pthread_join(workers[i].thread, NULL);
  pthread_barrier_destroy(&gate);
  stop_loop();
}

/* ---- Bodies ---- */

static void observe_all(int round) {
  (void)round;
  for (int i = 0; i < MANY; i++) observe(shared, i);
}

static void observe_half(int round) {
  (void)round;
  for (int i = 0; i < MANY / 2; i++) observe(shared, i);
}

static void observe_rest(int round) {
  (void)round;
  for (int i = MANY / 2; i < MANY; i++) observe(shared, i);
}

static void cancel(int round) {
  (void)round;
  cctx_cancel(shared, "enough");
  CHECK(cctx_err(shared) != 0);
}

/* A wait that found nothing to prevent returns after the callback has. */
static void withdraw_first(int round) {
  for (int i = round % 2; i < MANY / 2; i += 2) {
    told[i].prevented = cctx_off_done_wait(&told[i].observer);
    CHECK_EQ(atomic_load(&told[i].calls) + told[i].prevented, 1);
  }
}

static void withdraw_last(int round) {
  for (int i = MANY - 1 - round % 2; i >= MANY / 2; i -= 2)
    told[i].prevented = cctx_off_done(&told[i].observer);
}

TEST(a_cancellation_and_a_withdrawal_agree_who_was_first) {
  void (*bodies[])(int) = {cancel, withdraw_first, withdraw_last};
  race(new_plain, observe_all, bodies);
}

TEST(a_deadline_a_cancellation_and_a_withdrawal_agree_who_was_first) {
  void (*bodies[])(int) = {cancel, withdraw_first, withdraw_last};
  race(new_timed, observe_all, bodies);
}

TEST(what_is_registered_during_a_cancellation_is_told_once) {
  void (*bodies[])(int) = {cancel, observe_half, observe_rest};
  race(new_plain, nothing, bodies);
}

TEST(what_is_registered_around_a_deadline_is_told_once) {
  void (*bodies[])(int) = {nothing, observe_half, observe_rest};
  race(new_timed, nothing, bodies);
}

/* The registration alone keeps the child. */
static void observe_children(int from, int to) {
  for (int i = from; i < to; i++) {
    cctx *child = i % 2 ? cctx_with_cancel(shared) : cctx_with_timeout(shared, CCTX_SECOND);
    cctx *grandchild = cctx_with_cancel(child);
    observe(grandchild, i);
    cctx_unref(child);
    cctx_unref(grandchild);
  }
}

static void observe_first_children(int round) {
  (void)round;
  observe_children(0, MANY / 2);
}

static void observe_last_children(int round) {
  (void)round;
  observe_children(MANY / 2, MANY);
  for (int i = MANY - 1; i >= MANY / 2; i -= 2)
    told[i].prevented = cctx_off_done(&told[i].observer);
}

TEST(children_that_come_and_go_during_a_cancellation_are_told_once) {
  void (*bodies[])(int) = {cancel, observe_first_children, observe_last_children};
  race(new_plain, nothing, bodies);
}

static void wait_for_it(int round) {
  cctx *child = round % 2 ? cctx_with_timeout(shared, CCTX_SECOND) : cctx_ref(shared);
  CHECK_EQ(cctx_wait(child, CCTX_NEVER), CCTX_ECANCELED);
  cctx_unref(child);
}

static void poll_for_it(int round) {
  cctx *child = round % 2 ? cctx_with_cancel(shared) : cctx_ref(shared);
  struct pollfd at = {cctx_done_fd(child), POLLIN, 0};
  CHECK_EQ(poll(&at, 1, 10000), 1);
  CHECK_EQ(cctx_err(child), CCTX_ECANCELED);
  cctx_unref(child);
}

TEST(who_waits_and_who_polls_is_woken) {
  void (*bodies[])(int) = {cancel, wait_for_it, poll_for_it};
  race(new_plain, nothing, bodies);
}

static atomic_int firsts;
static void cancel_once(int round) {
  (void)round;
  atomic_fetch_add(&firsts, cctx_cancel(shared, NULL));
  CHECK_EQ(cctx_err(shared), CCTX_ECANCELED);
}

TEST(of_cancelers_at_once_one_is_first) {
  void (*bodies[])(int) = {cancel_once, cancel_once, cancel_once};
  atomic_store(&firsts, 0);
  race(new_plain, observe_half, bodies);
  CHECK_EQ(atomic_load(&firsts), ROUNDS);
}

/* Two trees whose callbacks cancel each other's: nobody may hold a lock meanwhile. */
static cctx *other;
static void cancel_other(cctx *ctx, void *arg) {
  cctx_cancel(ctx == shared ? other : shared, NULL);
  count(ctx, arg);
}

static cctx *new_pair(int round) {
  cctx_unref(other);
  other = new_plain(round);
  return new_plain(round);
}

static void observe_pair(int round) {
  (void)round;
  for (int i = 0; i < MANY; i++) {
    cctx *ctx = i % 2 ? shared : other;
    CHECK_EQ(cctx_on_done(ctx, kind(i), cancel_other, &told[i], &told[i].observer), 0);
    told[i].registered = true;
  }
}

static void cancel_the_other(int round) {
  (void)round;
  cctx_cancel(other, NULL);
}

TEST(callbacks_that_cancel_each_others_trees_run_once) {
  void (*bodies[])(int) = {cancel, cancel_the_other, withdraw_last};
  race(new_pair, observe_pair, bodies);
  cctx_unref(other);
  other = NULL;
}
