/* SPDX-License-Identifier: Apache-2.0 */
/* Stopping: cancel, err and cause, and which of several reasons to stop wins. */
#include <cctx.h>

#include "check.h"

/* One line for all of a cause: "status message file:line @time". */
static const char *cause_of(const cctx *ctx) {
  static char text[512];
  struct cctx_cause cause;
  CHECK_EQ(cctx_cause(ctx, &cause), cctx_err(ctx));
  CHECK_EQ(cause.status, cctx_err(ctx));
  snprintf(text, sizeof text, "%s|%s|%s:%d@%lld", cctx_status_word(cause.status),
           cause.message, cause.file, cause.line, (long long)cause.time);
  return text;
}

static cctx *cancelable(cctx *parent) {
  cctx *ctx = cctx_with_cancel(parent);
  CHECK(ctx != NULL);
  return ctx;
}

TEST(a_live_context_has_an_empty_cause) {
  struct cctx_cause cause = {CCTX_EINVAL, NULL, NULL, 7, 7};
  cctx *ctx = cancelable(cctx_background());
  CHECK_EQ(cctx_cause(ctx, &cause), 0);
  CHECK_EQ(cause.status, 0);
  CHECK_STR(cause.message, "");
  CHECK_STR(cause.file, "");
  CHECK_EQ(cause.line, 0);
  CHECK_EQ(cause.time, 0);
  cctx_unref(ctx);
}

TEST(a_cancellation_says_who_where_and_when) {
  cctx_clock_set(700);
  cctx *ctx = cancelable(cctx_background());
  CHECK_EQ(cctx_cancel_at(ctx, "client left", "server.c", 12), 1);
  cctx_clock_set(900);
  CHECK_STR(cause_of(ctx), "canceled|client left|server.c:12@700");
  cctx_unref(ctx);
}

TEST(the_macro_fills_in_this_line) {
  struct cctx_cause cause;
  cctx *ctx = cancelable(cctx_background());
  CHECK_EQ(cctx_cancel(ctx, NULL), 1);
  CHECK_EQ(cctx_cause(ctx, &cause), CCTX_ECANCELED);
  CHECK_EQ(cause.line, __LINE__ - 2);
  CHECK(strstr(cause.file, "test_stop.c") != NULL);
  CHECK(cause.message != NULL);
  cctx_unref(ctx);
}

TEST(a_place_that_is_not_known_is_empty) {
  cctx_clock_set(700);
  cctx *ctx = cancelable(cctx_background());
  CHECK_EQ(cctx_cancel_at(ctx, "why", NULL, 12), 1);
  CHECK_STR(cause_of(ctx), "canceled|why|:0@700");
  cctx_unref(ctx);
}

TEST(finish_cancels_and_gives_back) {
  struct cctx_cause cause;
  cctx *ctx = cancelable(cctx_background());
  cctx *child = cancelable(ctx);
  size_t before = cctx_alive();
  cctx_finish(cctx_ref(ctx));
  CHECK_EQ(cctx_alive(), before);
  CHECK_EQ(cctx_cause(child, &cause), CCTX_ECANCELED);
  CHECK_EQ(cause.line, __LINE__ - 3);
  cctx_finish(ctx);
  CHECK_EQ(cctx_err(child), CCTX_ECANCELED);
  cctx_unref(child);
}

/* S15: cancel says whether this call was the one that stopped the context. */
TEST(cancel_says_whether_it_was_first) {
  cctx *ctx = cancelable(cctx_background());
  CHECK_EQ(cctx_cancel(ctx, NULL), 1);
  CHECK_EQ(cctx_cancel(ctx, NULL), 0);
  CHECK_EQ(cctx_cancel(ctx, NULL), 0);
  cctx_unref(ctx);
}

TEST(only_what_was_made_to_stop_can_be_canceled) {
  struct cctx_metadata_pair pair = {CCTX_REQUEST, "name", "value", 5};
  cctx *meta = NULL;
  cctx *parent = cancelable(cctx_background());
  cctx *value = cctx_with_values(parent, NULL, 0);
  cctx *detached = cctx_detached(parent, 0);
  CHECK_EQ(cctx_with_metadata(&meta, parent, &pair, 1, NULL), 0);
  CHECK_EQ(cctx_cancel(value, NULL), CCTX_EINVAL);
  CHECK_EQ(cctx_cancel(meta, NULL), CCTX_EINVAL);
  CHECK_EQ(cctx_cancel(detached, NULL), CCTX_EINVAL);
  CHECK_EQ(cctx_cancel(cctx_background(), NULL), CCTX_EINVAL);
  CHECK_EQ(cctx_cancel(cctx_todo(), NULL), CCTX_EINVAL);
  CHECK_EQ(cctx_err(value), 0);
  CHECK_EQ(cctx_err(parent), 0);
  CHECK_EQ(cctx_cancel(parent, NULL), 1);
  CHECK_EQ(cctx_cancel(value, NULL), CCTX_EINVAL);
  CHECK_EQ(cctx_err(detached), 0);
  cctx_unref(detached);
  cctx_unref(meta);
  cctx_unref(value);
  cctx_unref(parent);
}

/* S2: the first cancellation wins, and fixes the cause. */
TEST(the_first_cancellation_wins) {
  cctx_clock_set(700);
  cctx *ctx = cancelable(cctx_background());
  CHECK_EQ(cctx_cancel_at(ctx, "first", "a.c", 1), 1);
  cctx_clock_set(800);
  CHECK_EQ(cctx_cancel_at(ctx, "second", "b.c", 2), 0);
  CHECK_STR(cause_of(ctx), "canceled|first|a.c:1@700");
  cctx_unref(ctx);
}

/* S2: a child that was stopped before keeps its own cause. */
TEST(a_childs_own_cause_stays_when_the_parent_is_canceled_later) {
  cctx_clock_set(700);
  cctx *parent = cancelable(cctx_background());
  cctx *child = cancelable(parent);
  cctx *grandchild = cancelable(child);
  CHECK_EQ(cctx_cancel_at(child, "child's", "c.c", 1), 1);
  CHECK_EQ(cctx_err(parent), 0);
  cctx_clock_set(800);
  CHECK_EQ(cctx_cancel_at(parent, "parent's", "p.c", 2), 1);
  CHECK_STR(cause_of(child), "canceled|child's|c.c:1@700");
  CHECK_STR(cause_of(grandchild), "canceled|child's|c.c:1@700");
  CHECK_STR(cause_of(parent), "canceled|parent's|p.c:2@800");
  cctx_unref(grandchild);
  cctx_unref(child);
  cctx_unref(parent);
}

/* S3: a cancellation reaches every descendant, and never an ancestor. */
TEST(cancel_reaches_every_descendant_and_no_ancestor) {
  struct cctx_metadata_pair pair = {CCTX_REQUEST, "name", "value", 5};
  cctx *meta = NULL;
  cctx_clock_set(700);
  cctx *above = cancelable(cctx_background());
  cctx *ctx = cancelable(above);
  cctx *sibling = cancelable(above);
  cctx *value = cctx_with_values(ctx, NULL, 0);
  CHECK_EQ(cctx_with_metadata(&meta, value, &pair, 1, NULL), 0);
  cctx *timer = cctx_with_deadline(meta, 9000);
  cctx *leaf = cancelable(timer);
  CHECK_EQ(cctx_cancel_at(ctx, "stop", "s.c", 3), 1);
  cctx *below[] = {ctx, value, meta, timer, leaf};
  for (size_t i = 0; i < sizeof below / sizeof *below; i++)
    CHECK_STR(cause_of(below[i]), "canceled|stop|s.c:3@700");
  CHECK_EQ(cctx_cancel(leaf, NULL), 0);
  CHECK_EQ(cctx_err(above), 0);
  CHECK_EQ(cctx_err(sibling), 0);
  cctx_unref(leaf);
  cctx_unref(timer);
  cctx_unref(meta);
  cctx_unref(value);
  cctx_unref(sibling);
  cctx_unref(ctx);
  cctx_unref(above);
}

/* S4: a child of a context that is done is born done, with its parent's cause. */
TEST(a_child_of_a_canceled_context_is_born_done) {
  cctx_clock_set(700);
  cctx *parent = cancelable(cctx_background());
  CHECK_EQ(cctx_cancel_at(parent, "gone", "p.c", 4), 1);
  cctx_clock_set(800);
  cctx *child = cancelable(parent);
  cctx *timer = cctx_with_timeout_cause(parent, CCTX_SECOND, "too slow");
  cctx *value = cctx_with_values(timer, NULL, 0);
  CHECK_EQ(cctx_cancel_at(child, "again", "c.c", 5), 0);
  CHECK_STR(cause_of(child), "canceled|gone|p.c:4@700");
  CHECK_STR(cause_of(timer), "canceled|gone|p.c:4@700");
  CHECK_STR(cause_of(value), "canceled|gone|p.c:4@700");
  cctx_clock_set(800 + 2 * CCTX_SECOND);
  CHECK_STR(cause_of(timer), "canceled|gone|p.c:4@700");
  cctx_unref(value);
  cctx_unref(timer);
  cctx_unref(child);
  cctx_unref(parent);
}

/* S4: also when the child's own deadline had passed before the parent was canceled. */
TEST(a_child_born_with_a_past_deadline_has_its_canceled_parents_cause) {
  cctx_clock_set(700);
  cctx *parent = cancelable(cctx_background());
  CHECK_EQ(cctx_cancel_at(parent, "gone", "p.c", 4), 1);
  cctx *child = cctx_with_deadline_at(parent, 600, "too slow", "c.c", 5);
  cctx *late = cctx_with_timeout(parent, -1);
  CHECK_STR(cause_of(child), "canceled|gone|p.c:4@700");
  CHECK_STR(cause_of(late), "canceled|gone|p.c:4@700");
  cctx_unref(late);
  cctx_unref(child);
  cctx_unref(parent);
}

TEST(a_child_born_with_a_past_deadline_has_its_late_parents_cause) {
  cctx_clock_set(500);
  cctx *parent = cctx_with_deadline_at(cctx_background(), 600, "parent's limit", "p.c", 4);
  cctx_clock_set(700);
  CHECK_EQ(cctx_err(parent), CCTX_EDEADLINE);
  cctx *child = cctx_with_deadline_at(parent, 550, "child's limit", "c.c", 5);
  CHECK_STR(cause_of(child), "deadline_exceeded|parent's limit|p.c:4@600");
  cctx_unref(child);
  cctx_unref(parent);
}

TEST(a_child_of_a_context_past_its_deadline_is_born_done) {
  cctx_clock_set(500);
  cctx *parent = cctx_with_deadline_at(cctx_background(), 600, "slow", "p.c", 4);
  cctx_clock_set(700);
  cctx *child = cancelable(parent);
  CHECK_STR(cause_of(child), "deadline_exceeded|slow|p.c:4@600");
  CHECK_EQ(cctx_cancel(child, NULL), 0);
  CHECK_EQ(cctx_deadline(child), 600);
  cctx_unref(child);
  cctx_unref(parent);
}

/* ---- Cancellation against the deadline ----------------------------------------- */

TEST(a_passed_deadline_says_who_set_it_and_when_it_was) {
  cctx_clock_set(500);
  cctx *ctx = cctx_with_deadline_at(cctx_background(), 600, "budget", "b.c", 9);
  cctx_clock_set(800);
  CHECK_STR(cause_of(ctx), "deadline_exceeded|budget|b.c:9@600");
  cctx_unref(ctx);
}

TEST(a_timeout_says_the_line_that_set_it) {
  struct cctx_cause cause;
  cctx *ctx = cctx_with_timeout_cause(cctx_background(), -1, "none left");
  CHECK_EQ(cctx_cause(ctx, &cause), CCTX_EDEADLINE);
  CHECK_STR(cause.message, "none left");
  CHECK_EQ(cause.line, __LINE__ - 3);
  CHECK(strstr(cause.file, "test_stop.c") != NULL);
  cctx_unref(ctx);
}

TEST(cancel_after_the_deadline_changes_nothing) {
  cctx_clock_set(500);
  cctx *ctx = cctx_with_deadline_at(cctx_background(), 600, "budget", "b.c", 9);
  cctx_clock_set(600);
  CHECK_EQ(cctx_cancel_at(ctx, "late", "l.c", 1), 0);
  CHECK_STR(cause_of(ctx), "deadline_exceeded|budget|b.c:9@600");
  cctx_unref(ctx);
}

TEST(a_cancellation_before_the_deadline_stays) {
  cctx_clock_set(500);
  cctx *ctx = cctx_with_deadline_at(cctx_background(), 600, "budget", "b.c", 9);
  cctx_clock_set(599);
  CHECK_EQ(cctx_cancel_at(ctx, "early", "e.c", 1), 1);
  cctx_clock_set(700);
  CHECK_STR(cause_of(ctx), "canceled|early|e.c:1@599");
  cctx_unref(ctx);
}

TEST(a_childs_deadline_before_the_parents_cancellation_stays) {
  cctx_clock_set(500);
  cctx *parent = cancelable(cctx_background());
  cctx *child = cctx_with_deadline_at(parent, 600, "budget", "b.c", 9);
  cctx *below = cancelable(child);
  cctx_clock_set(650); /* nobody asks meanwhile */
  CHECK_EQ(cctx_cancel_at(parent, "gone", "p.c", 4), 1);
  CHECK_STR(cause_of(child), "deadline_exceeded|budget|b.c:9@600");
  CHECK_STR(cause_of(below), "deadline_exceeded|budget|b.c:9@600");
  CHECK_STR(cause_of(parent), "canceled|gone|p.c:4@650");
  cctx_unref(below);
  cctx_unref(child);
  cctx_unref(parent);
}

TEST(a_child_canceled_before_the_parents_deadline_stays_canceled) {
  cctx_clock_set(500);
  cctx *parent = cctx_with_deadline_at(cctx_background(), 600, "budget", "b.c", 9);
  cctx *child = cancelable(parent);
  CHECK_EQ(cctx_cancel_at(child, "done", "c.c", 1), 1);
  cctx_clock_set(700);
  CHECK_STR(cause_of(child), "canceled|done|c.c:1@500");
  CHECK_STR(cause_of(parent), "deadline_exceeded|budget|b.c:9@600");
  cctx_unref(child);
  cctx_unref(parent);
}

TEST(the_earlier_deadline_gives_the_cause) {
  cctx_clock_set(500);
  cctx *parent = cctx_with_deadline_at(cctx_background(), 600, "parent's", "p.c", 1);
  cctx *later = cctx_with_deadline_at(parent, 700, "lost", "l.c", 2);
  cctx *earlier = cctx_with_deadline_at(later, 550, "child's", "c.c", 3);
  cctx_clock_set(800);
  CHECK_STR(cause_of(later), "deadline_exceeded|parent's|p.c:1@600");
  CHECK_STR(cause_of(earlier), "deadline_exceeded|child's|c.c:3@550");
  cctx_unref(earlier);
  cctx_unref(later);
  cctx_unref(parent);
}

TEST(of_equal_deadlines_the_nearest_gives_the_cause) {
  cctx_clock_set(500);
  cctx *parent = cctx_with_deadline_at(cctx_background(), 600, "parent's", "p.c", 1);
  cctx *child = cctx_with_deadline_at(parent, 600, "child's", "c.c", 2);
  cctx *below = cancelable(child);
  cctx_clock_set(600);
  CHECK_STR(cause_of(child), "deadline_exceeded|child's|c.c:2@600");
  CHECK_STR(cause_of(below), "deadline_exceeded|child's|c.c:2@600");
  CHECK_STR(cause_of(parent), "deadline_exceeded|parent's|p.c:1@600");
  cctx_unref(below);
  cctx_unref(child);
  cctx_unref(parent);
}

TEST(the_kind_is_how_it_stopped_not_what_was_said) {
  cctx *ctx = cancelable(cctx_background());
  CHECK_EQ(cctx_cancel(ctx, cctx_status_message(CCTX_EDEADLINE)), 1);
  CHECK_EQ(cctx_err(ctx), CCTX_ECANCELED);
  cctx_unref(ctx);
}

/* The clock of the system runs between any two looks at it, so this tries the moment of the
 * deadline often. */
TEST(who_was_first_agrees_with_the_cause_at_the_very_deadline) {
  int wrong = 0;
  for (int i = 0; i < 20000; i++) {
    cctx *ctx = cctx_with_deadline(cctx_background(), cctx_now() + i % 2000);
    int first = cctx_cancel(ctx, "just in time");
    wrong += first != (cctx_err(ctx) == CCTX_ECANCELED);
    cctx_unref(ctx);
  }
  CHECK_EQ(wrong, 0);
}

/* ---- Texts ---------------------------------------------------------------------- */

static void check_cut(const char *message, size_t kept) {
  struct cctx_cause cause;
  cctx *ctx = cancelable(cctx_background());
  CHECK_EQ(cctx_cancel_at(ctx, message, "f.c", 1), 1);
  CHECK_EQ(cctx_cause(ctx, &cause), CCTX_ECANCELED);
  CHECK_EQ(strlen(cause.message), kept);
  CHECK(strncmp(cause.message, message, kept) == 0);
  cctx_unref(ctx);
  ctx = cctx_with_deadline_at(cctx_background(), INT64_MIN, message, "f.c", 1);
  CHECK_EQ(cctx_cause(ctx, &cause), CCTX_EDEADLINE);
  CHECK_EQ(strlen(cause.message), kept);
  CHECK(strncmp(cause.message, message, kept) == 0);
  cctx_unref(ctx);
}

TEST(a_message_is_cut_to_its_room) {
  char text[2 * CCTX_MESSAGE_MAX];
  memset(text, 'm', sizeof text);
  text[sizeof text - 1] = '\0';
  check_cut(text, CCTX_MESSAGE_MAX - 1);
  text[CCTX_MESSAGE_MAX] = '\0';
  check_cut(text, CCTX_MESSAGE_MAX - 1);
  text[CCTX_MESSAGE_MAX - 1] = '\0';
  check_cut(text, CCTX_MESSAGE_MAX - 1);
  text[CCTX_MESSAGE_MAX - 2] = '\0';
  check_cut(text, CCTX_MESSAGE_MAX - 2);
}

TEST(a_message_is_not_cut_inside_a_character) {
  static const char *const characters[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
  for (size_t c = 0; c < sizeof characters / sizeof *characters; c++) {
    size_t len = strlen(characters[c]);
    for (size_t shift = 0; shift <= len; shift++) {
      char text[2 * CCTX_MESSAGE_MAX];
      size_t at = CCTX_MESSAGE_MAX - 1 - shift; /* where the character begins */
      memset(text, 'm', sizeof text);
      memcpy(text + at, characters[c], len);
      text[at + len + 5] = '\0';
      check_cut(text, shift == len ? CCTX_MESSAGE_MAX - 1 : at);
    }
  }
}

TEST(an_empty_message_still_says_something) {
  static const char *const messages[] = {NULL, ""};
  struct cctx_cause cause;
  for (size_t i = 0; i < 2; i++) {
    cctx *ctx = cancelable(cctx_background());
    CHECK_EQ(cctx_cancel(ctx, messages[i]), 1);
    CHECK_EQ(cctx_cause(ctx, &cause), CCTX_ECANCELED);
    CHECK(cause.message != NULL);
    cctx_unref(ctx);
  }
}

TEST(of_a_file_name_the_end_is_kept) {
  char path[3 * CCTX_FILE_MAX];
  struct cctx_cause cause;
  memset(path, 'd', sizeof path);
  memcpy(path + sizeof path - 8, "/the.c", 7);
  cctx *ctx = cancelable(cctx_background());
  CHECK_EQ(cctx_cancel_at(ctx, "m", path, 6), 1);
  CHECK_EQ(cctx_cause(ctx, &cause), CCTX_ECANCELED);
  CHECK_EQ(strlen(cause.file), CCTX_FILE_MAX - 1);
  CHECK_STR(cause.file, path + strlen(path) - (CCTX_FILE_MAX - 1));
  CHECK_EQ(cause.line, 6);
  cctx_unref(ctx);
}

TEST(a_file_name_that_fits_is_kept_whole) {
  char path[CCTX_FILE_MAX];
  struct cctx_cause cause;
  memset(path, 'd', sizeof path);
  path[sizeof path - 1] = '\0';
  cctx *ctx = cctx_with_deadline_at(cctx_background(), 0, "m", path, 6);
  CHECK_EQ(cctx_cause(ctx, &cause), CCTX_EDEADLINE);
  CHECK_STR(cause.file, path);
  cctx_unref(ctx);
}

TEST(the_callers_texts_are_copied) {
  char message[] = "message", file[] = "file.c", limit[] = "limit", place[] = "place.c";
  cctx_clock_set(500);
  cctx *ctx = cctx_with_deadline_at(cctx_background(), 600, limit, place, 1);
  cctx *child = cancelable(ctx);
  CHECK_EQ(cctx_cancel_at(child, message, file, 2), 1);
  memset(message, 'x', 3);
  memset(file, 'x', 3);
  memset(limit, 'x', 3);
  memset(place, 'x', 3);
  cctx_clock_set(600);
  CHECK_STR(cause_of(child), "canceled|message|file.c:2@500");
  CHECK_STR(cause_of(ctx), "deadline_exceeded|limit|place.c:1@600");
  cctx_unref(child);
  cctx_unref(ctx);
}

TEST(a_causes_texts_live_as_long_as_the_context_asked) {
  struct cctx_cause cause;
  cctx *parent = cancelable(cctx_background());
  cctx *child = cancelable(parent);
  CHECK_EQ(cctx_cancel_at(parent, "kept", "kept.c", 1), 1);
  CHECK_EQ(cctx_cause(child, &cause), CCTX_ECANCELED);
  cctx_unref(parent);
  CHECK_STR(cause.message, "kept");
  CHECK_STR(cause.file, "kept.c");
  cctx_unref(child);
}
