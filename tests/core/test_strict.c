/* SPDX-License-Identifier: Apache-2.0 */
/* Strict mode: each misuse is said, with both places. */
#include <stdio.h>
#include <string.h>

#include <cctx.h>

#include "../check.h"

static char said[1024];
static int count;

static void note(void *arg, const char *message) {
  (void)arg;
  snprintf(said, sizeof said, "%s", message);
  count++;
}

static void turn_on(void) {
  count = 0;
  said[0] = '\0';
  cctx_set_log(note, NULL);
  CHECK_EQ(cctx_strict(1), 0);
}

static void turn_off(void) {
  CHECK_EQ(cctx_strict(CCTX_STRICT_ASK), 1);
  CHECK_EQ(cctx_strict(0), 1);
  cctx_set_log(NULL, NULL);
}

static bool says(int line) {
  char place[64];
  snprintf(place, sizeof place, "test_strict.c:%d", line);
  return strstr(said, place) != NULL;
}

TEST(a_scope_left_before_the_one_inside_it_is_reported_with_all_places) {
  cctx_token outer, inner;
  cctx *ctx = cctx_with_cancel(cctx_background());
  int outer_line, inner_line, left_line;
  turn_on();
  outer_line = __LINE__ + 1;
  CHECK_EQ(cctx_attach(ctx, &outer), 0);
  inner_line = __LINE__ + 1;
  CHECK_EQ(cctx_attach(ctx, &inner), 0);
  left_line = __LINE__ + 1;
  CHECK_EQ(cctx_detach(&outer), 0);
  CHECK_EQ(count, 1);
  CHECK(says(outer_line));
  CHECK(says(inner_line));
  CHECK(says(left_line));
  turn_off();
  cctx_unref(ctx);
}

TEST(a_second_detach_is_reported_with_the_place_of_the_attach) {
  cctx_token token;
  cctx *ctx = cctx_with_cancel(cctx_background());
  int attach_line, second_line;
  turn_on();
  attach_line = __LINE__ + 1;
  CHECK_EQ(cctx_attach(ctx, &token), 0);
  CHECK_EQ(cctx_detach(&token), 0);
  CHECK_EQ(count, 0);
  second_line = __LINE__ + 1;
  CHECK_EQ(cctx_detach(&token), CCTX_ESTALE);
  CHECK_EQ(count, 1);
  CHECK(says(attach_line));
  CHECK(says(second_line));
  turn_off();
  cctx_unref(ctx);
}

TEST(deriving_from_a_request_that_has_ended_is_reported_with_its_end) {
  cctx_request request;
  cctx *kept, *late;
  int end_line;
  turn_on();
  CHECK_EQ(cctx_request_begin(&request, cctx_background(), NULL), 0);
  kept = cctx_ref(request.ctx);
  end_line = __LINE__ + 1;
  cctx_request_end(&request);
  CHECK_EQ(count, 0);
  late = cctx_with_cancel(kept);
  CHECK_EQ(count, 1);
  CHECK(says(end_line));
  CHECK(strstr(said, "parent") != NULL);
  turn_off();
  cctx_unref(late);
  cctx_unref(kept);
}

TEST(merging_with_a_request_that_has_ended_is_reported_once) {
  cctx_request request;
  cctx *kept, *merged;
  int end_line;
  turn_on();
  CHECK_EQ(cctx_request_begin(&request, cctx_background(), NULL), 0);
  kept = cctx_ref(request.ctx);
  end_line = __LINE__ + 1;
  cctx_request_end(&request);
  for (int place = 0; place < 3; place++) {
    cctx *parents[] = {cctx_background(), cctx_background(), cctx_background()};
    parents[place] = kept;
    merged = cctx_merge(parents, 3);
    CHECK_EQ(count, place + 1);
    CHECK(says(end_line));
    cctx_unref(merged);
  }
  merged = cctx_merge((cctx *[]){kept, kept, kept}, 3);
  CHECK_EQ(count, 4);
  turn_off();
  cctx_unref(merged);
  cctx_unref(kept);
}

TEST(what_is_right_is_not_reported) {
  cctx_token outer, inner;
  cctx_request request;
  cctx *ctx = cctx_with_cancel(cctx_background());
  turn_on();
  CHECK_EQ(cctx_request_begin(&request, ctx, NULL), 0);
  CHECK_EQ(cctx_attach(ctx, &outer), 0);
  CHECK_EQ(cctx_attach(ctx, &inner), 0);
  CHECK_EQ(cctx_detach(&inner), 0);
  CHECK_EQ(cctx_detach(&outer), 0);
  cctx_request_end(&request);
  CHECK_EQ(count, 0);
  turn_off();
  cctx_unref(ctx);
}

TEST(without_strict_mode_nothing_but_a_stale_detach_is_said) {
  cctx_token outer, inner;
  cctx *ctx = cctx_with_cancel(cctx_background());
  count = 0;
  cctx_set_log(note, NULL);
  CHECK_EQ(cctx_attach(ctx, &outer), 0);
  CHECK_EQ(cctx_attach(ctx, &inner), 0);
  CHECK_EQ(cctx_detach(&outer), 0);
  CHECK_EQ(count, 0);
  CHECK_EQ(cctx_detach(&inner), CCTX_ESTALE);
  CHECK_EQ(count, 1);
  cctx_set_log(NULL, NULL);
  cctx_unref(ctx);
}
