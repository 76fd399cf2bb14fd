/* SPDX-License-Identifier: Apache-2.0 */
/* Timeouts in fields: units, bounds, decimals, and what is refused. */
#include <cctx.h>
#include <string.h>

#include "bag.h"
#include "check.h"

static int64_t parsed(const char *text) {
  int64_t timeout = -7;
  int rc = cctx_grpc_timeout_parse(text, strlen(text), &timeout);
  CHECK_EQ(rc, 0);
  return timeout;
}

static bool refuses(const char *text) {
  int64_t timeout = -7;
  return cctx_grpc_timeout_parse(text, strlen(text), &timeout) == CCTX_EINVAL &&
         timeout == -7;
}

TEST(each_unit_has_its_length) {
  CHECK_EQ(parsed("2H"), 7200 * CCTX_SECOND);
  CHECK_EQ(parsed("2M"), 120 * CCTX_SECOND);
  CHECK_EQ(parsed("2S"), 2 * CCTX_SECOND);
  CHECK_EQ(parsed("2m"), 2 * CCTX_MILLISECOND);
  CHECK_EQ(parsed("2u"), 2000);
  CHECK_EQ(parsed("2n"), 2);
}

TEST(one_to_eight_digits_are_read) {
  CHECK_EQ(parsed("0n"), 0);
  CHECK_EQ(parsed("00000001S"), CCTX_SECOND);
  CHECK_EQ(parsed("99999999n"), 99999999);
  CHECK(refuses("100000000n"));
  CHECK(refuses("000000001n"));
}

TEST(blanks_around_it_are_no_part_of_it) {
  CHECK_EQ(parsed(" 5m\t"), 5 * CCTX_MILLISECOND);
  CHECK(refuses("5 m"));
}

TEST(more_than_the_clock_can_count_is_no_limit) {
  CHECK_EQ(parsed("99999999H"), CCTX_NEVER);
  CHECK_EQ(parsed("99999999M"), INT64_C(99999999) * 60 * CCTX_SECOND);
}

TEST(anything_else_is_refused) {
  static const char *const texts[] = {"",    " ",   "1",     "S",     "1s",
                                      "1h",  "-1S", "+1S",   "1.5S",  "0x1S",
                                      "1SS", "S1",  "1S,2S", "1 000m"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) CHECK(refuses(texts[i]));
  int64_t timeout = -7;
  CHECK_EQ(cctx_grpc_timeout_parse("1\0S", 3, &timeout), CCTX_EINVAL);
  CHECK_EQ(timeout, -7);
}

/* What a header of one's own says, in `unit`. */
static int64_t timeout_of(const char *text, int64_t unit) {
  struct cctx_policy policy = {.read = CCTX_FIELD_TIMEOUT,
                               .timeout = {.name = "x-timeout", .unit = unit}};
  struct bag bag = {0};
  cctx_clock_set(0);
  bag_add(&bag, "x-timeout", text);
  cctx *ctx = bag_extract(&bag, &policy, NULL);
  int64_t timeout = cctx_remaining(ctx);
  bag_empty(&bag);
  cctx_unref(ctx);
  return timeout;
}

TEST(the_decimals_of_a_header_of_ones_own_are_exact) {
  CHECK_EQ(timeout_of("0.000000015", CCTX_SECOND), 15);
  CHECK_EQ(timeout_of("2.000000063", CCTX_SECOND), 2000000063);
  CHECK_EQ(timeout_of("0.008641969", 3600 * CCTX_SECOND), INT64_C(8641969) * 3600);
  CHECK_EQ(timeout_of("0.999999999", INT64_MAX / 2), INT64_C(4611686013815701884));
}
