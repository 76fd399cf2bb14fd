/* SPDX-License-Identifier: Apache-2.0 */
/* The one lock, which a fork finds free on both sides, and its one condition: who waits
 * looks again whenever anything changes. */
#include "lock.h"

#include <assert.h>
#include <pthread.h>
#include <stddef.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;

/* Written by constructors, before there is a second thread. */
static void (*resets[8])(void);
static size_t reset_count;

void cctx__lock(void) { pthread_mutex_lock(&lock); }
void cctx__unlock(void) { pthread_mutex_unlock(&lock); }

void cctx__wait(int64_t until) {
  struct timespec at = {(time_t)(until / 1000000000), (long)(until % 1000000000)};
  if (until == INT64_MAX)
    pthread_cond_wait(&changed, &lock);
  else if (until > 0)
    pthread_cond_timedwait(&changed, &lock, &at);
}

void cctx__wake(void) { pthread_cond_broadcast(&changed); }

static void make_condition(void) {
  pthread_condattr_t attr;
  pthread_condattr_init(&attr);
  pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  pthread_cond_init(&changed, &attr);
  pthread_condattr_destroy(&attr);
}

void cctx__at_fork(void (*reset)(void)) {
  assert(reset_count < sizeof resets / sizeof *resets);
  resets[reset_count++] = reset;
}

/* The threads that waited are not in the child, but the condition may count them. */
static void unlock_in_child(void) {
  make_condition();
  cctx__unlock();
  for (size_t i = 0; i < reset_count; i++) resets[i]();
}

/* The lock is taken across the fork, so that no other thread's half-done work is copied
 * with it into a child where that thread does not exist. */
__attribute__((constructor)) static void guard_forks(void) {
  make_condition();
  pthread_atfork(cctx__lock, cctx__unlock, unlock_in_child);
}
