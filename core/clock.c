/* SPDX-License-Identifier: Apache-2.0 */
/* The clock: the only file that asks the system for the time. */
#include <stdatomic.h>
#include <time.h>

#include <cctx/clock.h>

static _Atomic int64_t stopped_at = CCTX_CLOCK_REAL;

int64_t cctx_now(void) {
  struct timespec ts;
  int64_t stopped = atomic_load_explicit(&stopped_at, memory_order_relaxed);
  if (stopped != CCTX_CLOCK_REAL) return stopped;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (int64_t)ts.tv_sec * CCTX_SECOND + ts.tv_nsec;
}

int64_t cctx_deadline_after(int64_t timeout) {
  int64_t now = cctx_now();
  if (timeout == CCTX_NEVER) return CCTX_NEVER;
  if (timeout > 0 && now > CCTX_NEVER - timeout) return CCTX_NEVER;
  if (timeout < 0 && now < INT64_MIN - timeout) return INT64_MIN;
  return now + timeout;
}

void cctx_clock_set(int64_t now) { atomic_store(&stopped_at, now); }
