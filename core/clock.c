/* SPDX-License-Identifier: Apache-2.0 */
/* The clock: the only file that asks the system for the time. */
#include "clock.h"

#include <stdatomic.h>
#include <time.h>

#include "lock.h"

/* Written by a constructor, before there is a second thread. */
static void (*listener)(void);

static _Atomic int64_t stopped_at = CCTX_CLOCK_REAL;

int64_t cctx_now(void) {
  struct timespec ts;
  int64_t stopped = atomic_load_explicit(&stopped_at, memory_order_relaxed);
  if (stopped != CCTX_CLOCK_REAL) return stopped;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (int64_t)ts.tv_sec * CCTX_SECOND + ts.tv_nsec;
}

int64_t cctx_deadline_after(int64_t timeout) {
  int64_t now;
  if (timeout == CCTX_NEVER) return CCTX_NEVER;
  now = cctx_now();
  if (timeout > 0 && now > CCTX_NEVER - timeout) return CCTX_NEVER;
  if (timeout < 0 && now < INT64_MIN - timeout) return INT64_MIN;
  return now + timeout;
}

int64_t cctx__clock_sleep_until(int64_t deadline) {
  return atomic_load(&stopped_at) == CCTX_CLOCK_REAL ? deadline : CCTX_NEVER;
}

void cctx__clock_on_set(void (*changed)(void)) { listener = changed; }

void cctx_clock_set(int64_t now) {
  atomic_store(&stopped_at, now);
  cctx__lock();
  cctx__wake();
  cctx__unlock();
  if (listener) listener();
}
