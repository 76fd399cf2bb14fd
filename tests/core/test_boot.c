/* SPDX-License-Identifier: Apache-2.0 */
/* The same-boot deadline: there and back, and never another boot's. */
#include <cctx.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

/* The two clocks are read one after the other: a second is more than enough between. */
static bool is_near(int64_t a, int64_t b) {
  return a - b < CCTX_SECOND && b - a < CCTX_SECOND;
}

static int write_deadline(int64_t deadline, char text[64]) {
  return cctx_boot_deadline_format(deadline, text, 64);
}

/* The first line of each test that needs one. */
#define NEEDS_BOOT_ID()                                                                    \
  do {                                                                                     \
    char unused[64];                                                                       \
    if (write_deadline(0, unused) == CCTX_ENOTFOUND) SKIP("no boot id on this system");    \
  } while (0)

TEST(a_deadline_comes_back_as_it_was) {
  NEEDS_BOOT_ID();
  char text[64];
  int64_t deadline = cctx_deadline_after(3600 * CCTX_SECOND), read = 0;
  CHECK_EQ(write_deadline(deadline, text), 0);
  CHECK_EQ(cctx_boot_deadline_parse(text, strlen(text), &read), 0);
  CHECK(is_near(read, deadline));
}

TEST(a_deadline_that_has_passed_stays_passed) {
  NEEDS_BOOT_ID();
  char text[64];
  int64_t deadline = cctx_now() - 2 * CCTX_MILLISECOND, read = 0;
  CHECK_EQ(write_deadline(deadline, text), 0);
  CHECK_EQ(cctx_boot_deadline_parse(text, strlen(text), &read), 0);
  CHECK(is_near(read, deadline));
  CHECK(read < cctx_now());
}

TEST(it_is_measured_on_the_clock_of_the_reader) {
  NEEDS_BOOT_ID();
  char text[64];
  int64_t read = 0;
  cctx_clock_set(5 * CCTX_SECOND);
  CHECK_EQ(write_deadline(65 * CCTX_SECOND, text), 0);
  cctx_clock_set(1000 * CCTX_SECOND);
  CHECK_EQ(cctx_boot_deadline_parse(text, strlen(text), &read), 0);
  cctx_clock_set(CCTX_CLOCK_REAL);
  CHECK(is_near(read, 1060 * CCTX_SECOND));
}

TEST(a_deadline_of_another_boot_is_refused) {
  NEEDS_BOOT_ID();
  char text[64];
  int64_t read = -7;
  CHECK_EQ(write_deadline(cctx_deadline_after(CCTX_SECOND), text), 0);
  text[0] = text[0] == 'a' ? 'b' : 'a';
  CHECK_EQ(cctx_boot_deadline_parse(text, strlen(text), &read), CCTX_EINVAL);
  CHECK_EQ(read, -7);
}

TEST(what_is_malformed_is_refused) {
  NEEDS_BOOT_ID();
  static const char *const numbers[] = {"",
                                        "x",
                                        "-1",
                                        "+1",
                                        "1.5",
                                        "1 2",
                                        "12n",
                                        "9223372036854775808",
                                        "00000000000000000001"};
  char text[64], bad[64];
  int64_t read = -7;
  CHECK_EQ(write_deadline(cctx_deadline_after(CCTX_SECOND), text), 0);
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    snprintf(bad, sizeof bad, "%.8s:%s", text, numbers[i]);
    CHECK_EQ(cctx_boot_deadline_parse(bad, strlen(bad), &read), CCTX_EINVAL);
  }
  for (size_t len = 0; len < 10; len++)
    CHECK_EQ(cctx_boot_deadline_parse(text, len, &read), len < 10 ? CCTX_EINVAL : 0);
  text[8] = '-';
  CHECK_EQ(cctx_boot_deadline_parse(text, strlen(text), &read), CCTX_EINVAL);
  CHECK_EQ(read, -7);
}

TEST(the_largest_number_is_read_without_overflow) {
  NEEDS_BOOT_ID();
  char text[64], far[64];
  int64_t read = 0;
  CHECK_EQ(write_deadline(cctx_deadline_after(CCTX_SECOND), text), 0);
  snprintf(far, sizeof far, "%.8s:9223372036854775807", text);
  CHECK_EQ(cctx_boot_deadline_parse(far, strlen(far), &read), 0);
  CHECK(read > cctx_now());
}

TEST(no_deadline_has_no_text) {
  char text[64] = "as it was";
  CHECK_EQ(write_deadline(CCTX_NEVER, text), CCTX_EINVAL);
  CHECK_STR(text, "as it was");
}

TEST(a_room_that_is_too_small_is_left_alone) {
  NEEDS_BOOT_ID();
  char text[64], small[64] = "as it was";
  int64_t deadline = cctx_deadline_after(CCTX_SECOND);
  CHECK_EQ(write_deadline(deadline, text), 0);
  CHECK_EQ(cctx_boot_deadline_format(deadline, small, strlen(text)), CCTX_ETOOBIG);
  CHECK_STR(small, "as it was");
  CHECK_EQ(cctx_boot_deadline_format(deadline, small, 0), CCTX_ETOOBIG);
  CHECK_STR(small, "as it was");
}
