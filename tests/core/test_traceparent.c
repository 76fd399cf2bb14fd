/* SPDX-License-Identifier: Apache-2.0 */
/* The traceparent: what is read, what is refused, and that the two directions agree. */
#include <cctx.h>
#include <string.h>

#include "check.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define SPAN "b7ad6b7169203331"

static int parse(const char *text, struct cctx_trace *out) {
  return cctx_traceparent_parse(text, strlen(text), out);
}

/* Whether `text` is refused, and `out` left alone. */
static bool refuses(const char *text) {
  struct cctx_trace trace, before;
  memset(&trace, 0x5a, sizeof trace);
  before = trace;
  return parse(text, &trace) == CCTX_EINVAL && memcmp(&trace, &before, sizeof trace) == 0;
}

TEST(a_valid_traceparent_gives_its_ids_and_flags) {
  struct cctx_trace trace;
  CHECK_EQ(parse("00-" TRACE "-" SPAN "-01", &trace), 0);
  CHECK_EQ(trace.trace_id[0], 0x0a);
  CHECK_EQ(trace.trace_id[15], 0x9c);
  CHECK_EQ(trace.span_id[0], 0xb7);
  CHECK_EQ(trace.span_id[7], 0x31);
  CHECK_EQ(trace.flags, 1);
}

TEST(what_was_read_is_written_the_same) {
  static const char *const texts[] = {
      "00-" TRACE "-" SPAN "-00", "00-" TRACE "-" SPAN "-01", "00-" TRACE "-" SPAN "-03"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    struct cctx_trace trace;
    char text[CCTX_TRACEPARENT_LEN + 1];
    CHECK_EQ(parse(texts[i], &trace), 0);
    cctx_traceparent_format(&trace, text);
    CHECK_STR(text, texts[i]);
  }
}

TEST(blanks_around_it_are_no_part_of_it) {
  struct cctx_trace trace;
  CHECK_EQ(parse(" \t00-" TRACE "-" SPAN "-01\t ", &trace), 0);
  CHECK(refuses("\n00-" TRACE "-" SPAN "-01"));
  CHECK(refuses("00-" TRACE "- " SPAN "-01"));
}

TEST(flags_without_a_meaning_are_not_kept) {
  struct cctx_trace trace;
  char text[CCTX_TRACEPARENT_LEN + 1];
  CHECK_EQ(parse("00-" TRACE "-" SPAN "-ff", &trace), 0);
  CHECK_EQ(trace.flags, 3);
  trace.flags = 0xfd;
  cctx_traceparent_format(&trace, text);
  CHECK_STR(text, "00-" TRACE "-" SPAN "-01");
}

TEST(upper_case_digits_are_refused) {
  CHECK(refuses("00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01"));
  CHECK(refuses("00-" TRACE "-B7AD6B7169203331-01"));
  CHECK(refuses("00-" TRACE "-" SPAN "-0A"));
  CHECK(refuses("0A-" TRACE "-" SPAN "-01"));
}

TEST(ids_of_zeros_are_refused) {
  CHECK(refuses("00-00000000000000000000000000000000-" SPAN "-01"));
  CHECK(refuses("00-" TRACE "-0000000000000000-01"));
}

TEST(a_later_version_may_be_longer_behind_a_hyphen) {
  struct cctx_trace trace;
  CHECK_EQ(parse("cc-" TRACE "-" SPAN "-01", &trace), 0);
  CHECK_EQ(parse("cc-" TRACE "-" SPAN "-01-", &trace), 0);
  CHECK_EQ(parse("01-" TRACE "-" SPAN "-01-what-the-future-brings", &trace), 0);
  CHECK(refuses("cc-" TRACE "-" SPAN "-01.what"));
  CHECK(refuses("cc-" TRACE "-" SPAN "-011"));
}

TEST(version_00_may_not_be_longer) {
  CHECK(refuses("00-" TRACE "-" SPAN "-01-"));
  CHECK(refuses("00-" TRACE "-" SPAN "-01-extra"));
}

TEST(version_ff_is_refused) {
  CHECK(refuses("ff-" TRACE "-" SPAN "-01"));
  CHECK(refuses("ff-" TRACE "-" SPAN "-01-more"));
}

TEST(a_text_of_another_shape_is_refused) {
  static const char *const texts[] = {
      "",
      " ",
      "00",
      "00-" TRACE "-" SPAN,
      "00-" TRACE "-" SPAN "-",
      "00-" TRACE "-" SPAN "-1",
      "00_" TRACE "-" SPAN "-01",
      "00-" TRACE "_" SPAN "-01",
      "00-" TRACE "-" SPAN "_01",
      "0g-" TRACE "-" SPAN "-01",
      "00-" TRACE "-" SPAN "-0x",
      "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331c-01"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) CHECK(refuses(texts[i]));
}

TEST(every_shorter_piece_is_refused) {
  static const char whole[] = "00-" TRACE "-" SPAN "-01";
  struct cctx_trace trace;
  for (size_t len = 0; len + 1 < sizeof whole; len++)
    CHECK_EQ(cctx_traceparent_parse(whole, len, &trace), CCTX_EINVAL);
  CHECK_EQ(cctx_traceparent_parse(whole, sizeof whole - 1, &trace), 0);
}
