/* SPDX-License-Identifier: Apache-2.0 */
/* A condition variable that waits until a deadline of cctx_now(). */
#ifndef HOST_WAIT_H
#define HOST_WAIT_H

#include <cctx.h>
#include <pthread.h>
#include <time.h>

struct condition {
  pthread_cond_t cond;
};

#define CONDITION_INIT                                                                     \
  { PTHREAD_COND_INITIALIZER }

/* Wait with `lock` held: false once `deadline` has passed, true whenever it is time to look
 * again. */
static inline bool condition_wait(struct condition *condition, pthread_mutex_t *lock,
                                  int64_t deadline) {
  if (deadline == CCTX_NEVER) return pthread_cond_wait(&condition->cond, lock) == 0;
  struct timespec at = {.tv_sec = (time_t)(deadline / CCTX_SECOND),
                        .tv_nsec = (long)(deadline % CCTX_SECOND)};
  return pthread_cond_clockwait(&condition->cond, lock, CLOCK_MONOTONIC, &at) == 0;
}

static inline void condition_signal(struct condition *condition) {
  pthread_cond_broadcast(&condition->cond);
}

#endif
