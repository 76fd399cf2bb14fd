/* SPDX-License-Identifier: Apache-2.0 */
/* The clock: which time it tells, how it is stopped, how timeouts become deadlines. */
#include <time.h>

#include <cctx.h>

#include "check.h"

static int64_t system_now(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (int64_t)ts.tv_sec * CCTX_SECOND + ts.tv_nsec;
}

TEST(now_is_the_monotonic_clock_in_nanoseconds) {
  int64_t before = system_now(), now = cctx_now(), after = system_now();
  CHECK(before <= now);
  CHECK(now <= after);
}

TEST(the_units_are_nanoseconds) {
  CHECK_EQ(CCTX_MILLISECOND, 1000000);
  CHECK_EQ(CCTX_SECOND, 1000000000);
  CHECK_EQ(CCTX_NEVER, INT64_MAX);
}

TEST(a_stopped_clock_stands_where_it_was_set) {
  cctx_clock_set(42);
  CHECK_EQ(cctx_now(), 42);
  CHECK_EQ(cctx_now(), 42);
  cctx_clock_set(43 * CCTX_SECOND);
  CHECK_EQ(cctx_now(), 43 * CCTX_SECOND);
}

TEST(a_clock_may_be_stopped_at_zero) {
  cctx_clock_set(0);
  CHECK_EQ(cctx_now(), 0);
  CHECK_EQ(cctx_deadline_after(5), 5);
}

TEST(a_clock_set_to_real_passes_again) {
  int64_t before = system_now();
  cctx_clock_set(1);
  cctx_clock_set(CCTX_CLOCK_REAL);
  CHECK(cctx_now() >= before);
}

TEST(a_timeout_starts_now) {
  cctx_clock_set(100);
  CHECK_EQ(cctx_deadline_after(0), 100);
  CHECK_EQ(cctx_deadline_after(30 * CCTX_SECOND), 100 + 30 * CCTX_SECOND);
}

TEST(a_timeout_without_limit_is_a_deadline_without_limit) {
  cctx_clock_set(100);
  CHECK_EQ(cctx_deadline_after(CCTX_NEVER), CCTX_NEVER);
  cctx_clock_set(0);
  CHECK_EQ(cctx_deadline_after(CCTX_NEVER), CCTX_NEVER);
  cctx_clock_set(CCTX_CLOCK_REAL);
  CHECK_EQ(cctx_deadline_after(CCTX_NEVER), CCTX_NEVER);
}

TEST(a_timeout_that_does_not_fit_saturates) {
  cctx_clock_set(100);
  CHECK_EQ(cctx_deadline_after(CCTX_NEVER - 101), CCTX_NEVER - 1);
  CHECK_EQ(cctx_deadline_after(CCTX_NEVER - 100), CCTX_NEVER);
  CHECK_EQ(cctx_deadline_after(CCTX_NEVER - 99), CCTX_NEVER);
  cctx_clock_set(CCTX_NEVER - 1);
  CHECK_EQ(cctx_deadline_after(2), CCTX_NEVER);
}

TEST(a_negative_timeout_is_a_deadline_that_has_passed) {
  cctx_clock_set(100);
  CHECK_EQ(cctx_deadline_after(-1), 99);
  CHECK_EQ(cctx_deadline_after(-100), 0);
  CHECK_EQ(cctx_deadline_after(INT64_MIN), INT64_MIN + 100);
  cctx_clock_set(-100);
  CHECK_EQ(cctx_deadline_after(INT64_MIN), INT64_MIN);
  CHECK_EQ(cctx_deadline_after(INT64_MIN + 1), INT64_MIN);
}
