/* SPDX-License-Identifier: Apache-2.0 */
/* The one lock, which a fork finds free on both sides. */
#include "lock.h"

#include <assert.h>
#include <pthread.h>
#include <stddef.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Written by constructors, before there is a second thread. */
static void (*resets[4])(void);
static size_t reset_count;

void cctx__lock(void) { pthread_mutex_lock(&lock); }
void cctx__unlock(void) { pthread_mutex_unlock(&lock); }

void cctx__at_fork(void (*reset)(void)) {
  assert(reset_count < sizeof resets / sizeof *resets);
  resets[reset_count++] = reset;
}

static void unlock_in_child(void) {
  cctx__unlock();
  for (size_t i = 0; i < reset_count; i++) resets[i]();
}

/* The lock is taken across the fork, so that no other thread's half-done work is copied
 * with it into a child where that thread does not exist. */
__attribute__((constructor)) static void guard_forks(void) {
  pthread_atfork(cctx__lock, cctx__unlock, unlock_in_child);
}
