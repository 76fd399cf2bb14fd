/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts that end with any of several, and contexts that end later than their parent. */
#include <poll.h>

#include "check.h"

static char called[64];
static void note(cctx *ctx, void *name) {
  CHECK(cctx_err(ctx) != 0);
  strcat(called, name);
}

static void check_cause(const cctx *ctx, int status, const char *message, int64_t time) {
  struct cctx_cause cause;
  CHECK_EQ(cctx_cause(ctx, &cause), status);
  CHECK_STR(cause.message, message);
  CHECK_EQ(cause.time, time);
}

static cctx *merge(cctx *a, cctx *b) {
  cctx *both[] = {a, b};
  return cctx_merge(both, 2);
}

static bool is_readable(int fd) {
  struct pollfd at = {fd, POLLIN, 0};
  return poll(&at, 1, 0) == 1;
}

static cctx *begin(void) {
  called[0] = '\0';
  cctx_clock_set(CCTX_SECOND);
  return cctx_with_cancel(cctx_background());
}

/* ---- Merge -------------------------------------------------------------------------- */

/* S16: */
TEST(a_merged_context_ends_with_either_parent_for_its_cause) {
  for (int which = 0; which < 2; which++) {
    cctx *parents[] = {begin(), begin()};
    cctx *merged = cctx_merge(parents, 2), *child = cctx_with_cancel(merged);
    CHECK_EQ(cctx_err(merged), 0);
    CHECK_EQ(cctx_cancel(parents[which], "enough"), 1);
    check_cause(merged, CCTX_ECANCELED, "enough", CCTX_SECOND);
    check_cause(child, CCTX_ECANCELED, "enough", CCTX_SECOND);
    CHECK_EQ(cctx_err(parents[1 - which]), 0);
    CHECK_EQ(cctx_cancel(parents[1 - which], "too late"), 1);
    check_cause(child, CCTX_ECANCELED, "enough", CCTX_SECOND);
    CHECK_EQ(cctx_cancel(merged, "too late"), 0);
    cctx_unref(child);
    cctx_unref(merged);
    cctx_unref(parents[0]);
    cctx_unref(parents[1]);
  }
}

TEST(a_merged_context_has_the_values_of_the_first_and_the_earliest_deadline) {
  cctx_key *key = cctx_key_named("merge-test");
  cctx *root = begin();
  cctx *first = cctx_with_value(root, key, cctx_int(1)), *merged;
  cctx *timed = cctx_with_deadline_cause(root, 2 * CCTX_SECOND, "two");
  cctx *second = cctx_with_value(timed, key, cctx_int(2));
  cctx_variant value;
  merged = merge(first, second);
  CHECK_EQ(cctx_value(merged, key, &value), 0);
  CHECK_EQ(value.as.i, 1);
  CHECK_EQ(cctx_deadline(merged), 2 * CCTX_SECOND);
  cctx_clock_set(2 * CCTX_SECOND);
  check_cause(merged, CCTX_EDEADLINE, "two", 2 * CCTX_SECOND);
  cctx_unref(merged);
  cctx_unref(second);
  cctx_unref(timed);
  cctx_unref(first);
  cctx_unref(root);
}

TEST(canceling_a_merged_context_leaves_its_parents) {
  cctx *a = begin(), *b = begin(), *merged = merge(a, b);
  CHECK_EQ(cctx_cancel(merged, "own"), 1);
  check_cause(merged, CCTX_ECANCELED, "own", CCTX_SECOND);
  CHECK_EQ(cctx_err(a), 0);
  CHECK_EQ(cctx_err(b), 0);
  cctx_unref(merged);
  cctx_unref(a);
  cctx_unref(b);
}

TEST(a_merged_context_of_one_that_is_done_is_done) {
  cctx *a = begin(), *b = begin(), *merged;
  cctx_cancel(b, "before");
  merged = merge(a, b);
  check_cause(merged, CCTX_ECANCELED, "before", CCTX_SECOND);
  cctx_unref(merged);
  cctx_unref(a);
  cctx_unref(b);
}

TEST(a_merged_context_of_several_that_are_done_has_the_cause_of_the_first_to_end) {
  for (int swapped = 0; swapped < 2; swapped++) {
    cctx *a = begin(), *root = begin(), *b, *merged;
    b = cctx_with_deadline_cause(root, 3 * CCTX_SECOND, "b");
    cctx_clock_set(4 * CCTX_SECOND);
    cctx_cancel(root, "root");
    cctx_clock_set(5 * CCTX_SECOND);
    cctx_cancel(a, "a");
    merged = swapped ? merge(b, a) : merge(a, b);
    check_cause(merged, CCTX_EDEADLINE, "b", 3 * CCTX_SECOND);
    cctx_unref(merged);
    cctx_unref(b);
    cctx_unref(root);
    cctx_unref(a);
  }
}

TEST(a_merged_context_of_a_parents_descendant_ends_with_the_ancestor) {
  cctx *a = begin(), *root = begin();
  cctx *value = cctx_with_value(root, cctx_key_named("merge-test"), cctx_nil());
  cctx *child = cctx_with_cancel(value), *merged = merge(a, child);
  cctx *again = merge(cctx_background(), merged);
  CHECK_EQ(cctx_on_done(again, CCTX_INLINE, note, "x", NULL), 0);
  cctx_unref(child);
  cctx_unref(merged);
  cctx_cancel(root, "root");
  check_cause(again, CCTX_ECANCELED, "root", CCTX_SECOND);
  CHECK_STR(called, "x");
  cctx_unref(again);
  cctx_unref(value);
  cctx_unref(root);
  cctx_unref(a);
}

TEST(a_merged_context_may_go_before_its_parents_and_after) {
  cctx *a = begin(), *b = begin(), *merged = merge(a, b);
  cctx_unref(merged);
  cctx_cancel(b, NULL);
  merged = merge(a, b);
  cctx_unref(a);
  cctx_unref(b);
  CHECK_EQ(cctx_err(merged), CCTX_ECANCELED);
  cctx_unref(merged);
}

TEST(a_long_chain_of_merges_is_freed) {
  cctx *at = begin();
  for (int i = 0; i < 200000; i++) {
    cctx *next = merge(cctx_background(), at);
    cctx_unref(at);
    at = next;
  }
  cctx_unref(at);
}

static bool merge_and_unref(void) {
  cctx *a = cctx_with_cancel(cctx_background()), *merged = NULL, *grace = NULL;
  if (a) merged = merge(cctx_background(), a);
  if (merged) grace = cctx_with_grace(merged, 1);
  cctx_unref(merged);
  cctx_unref(a);
  cctx_unref(grace);
  return grace != NULL;
}

TEST(merging_without_memory_leaves_the_parents) { FAIL_EACH_ALLOCATION(merge_and_unref()); }

/* ---- Grace -------------------------------------------------------------------------- */

/* S17: */
TEST(a_grace_ends_so_much_later_than_its_parent_for_its_cause) {
  cctx *soft = begin(), *hard = cctx_with_grace(soft, 2 * CCTX_SECOND);
  cctx *child = cctx_with_cancel(hard);
  cctx_cancel(soft, "stop");
  CHECK_EQ(cctx_err(soft), CCTX_ECANCELED);
  CHECK_EQ(cctx_err(hard), 0);
  cctx_clock_set(3 * CCTX_SECOND - 1);
  CHECK_EQ(cctx_err(child), 0);
  cctx_clock_set(3 * CCTX_SECOND);
  check_cause(hard, CCTX_ECANCELED, "stop", 3 * CCTX_SECOND);
  check_cause(child, CCTX_ECANCELED, "stop", 3 * CCTX_SECOND);
  cctx_unref(child);
  cctx_unref(hard);
  cctx_unref(soft);
}

TEST(a_grace_moves_the_deadline_and_keeps_who_set_it) {
  cctx *root = begin();
  cctx *soft = cctx_with_deadline_cause(root, 2 * CCTX_SECOND, "soft");
  cctx *hard = cctx_with_grace(soft, CCTX_SECOND);
  CHECK_EQ(cctx_deadline(hard), 3 * CCTX_SECOND);
  cctx_clock_set(2 * CCTX_SECOND);
  CHECK_EQ(cctx_err(soft), CCTX_EDEADLINE);
  CHECK_EQ(cctx_err(hard), 0);
  cctx_clock_set(4 * CCTX_SECOND);
  check_cause(hard, CCTX_EDEADLINE, "soft", 3 * CCTX_SECOND);
  cctx_unref(hard);
  cctx_unref(soft);
  cctx_unref(root);
}

TEST(graces_add_up_and_what_was_canceled_first_wins) {
  cctx *root = begin(), *one = cctx_with_grace(root, CCTX_SECOND);
  cctx *two = cctx_with_grace(one, CCTX_SECOND);
  cctx_cancel(root, "root");
  cctx_clock_set(2 * CCTX_SECOND - 1);
  CHECK_EQ(cctx_cancel(one, "one"), 1); /* still live, so this is first */
  cctx_clock_set(3 * CCTX_SECOND - 1);
  check_cause(two, CCTX_ECANCELED, "one", 3 * CCTX_SECOND - 1);
  check_cause(one, CCTX_ECANCELED, "one", 2 * CCTX_SECOND - 1);
  cctx_unref(two);
  cctx_unref(one);
  cctx_unref(root);
}

TEST(a_grace_can_be_canceled_before) {
  cctx *soft = begin(), *hard = cctx_with_grace(soft, CCTX_SECOND);
  cctx_cancel(soft, "soft");
  CHECK_EQ(cctx_cancel(hard, "now"), 1);
  check_cause(hard, CCTX_ECANCELED, "now", CCTX_SECOND);
  cctx_unref(hard);
  cctx_unref(soft);
}

TEST(a_grace_that_is_not_positive_is_none) {
  cctx *soft = begin(), *hard = cctx_with_grace(soft, -1);
  cctx_cancel(soft, "soft");
  check_cause(hard, CCTX_ECANCELED, "soft", CCTX_SECOND);
  cctx_unref(hard);
  cctx_unref(soft);
}

TEST(who_observes_below_a_grace_is_told_when_it_is_over) {
  cctx_loop *loop = cctx_loop_new();
  cctx *soft = begin(), *hard = cctx_with_grace(soft, CCTX_SECOND);
  cctx *child = cctx_with_cancel(hard), *late;
  int fd = cctx_done_fd(child);
  CHECK_EQ(cctx_on_done(child, loop, note, "c", NULL), 0);
  CHECK_EQ(cctx_on_done(soft, loop, note, "s", NULL), 0);
  cctx_cancel(soft, NULL);
  CHECK_EQ(cctx_loop_run(loop, cctx_now()), 1);
  CHECK_STR(called, "s");
  CHECK_EQ(cctx_loop_next(loop), 2 * CCTX_SECOND);
  CHECK(!is_readable(fd));
  late = cctx_with_cancel(hard); /* made while the grace runs */
  CHECK_EQ(cctx_on_done(late, loop, note, "l", NULL), 0);
  cctx_clock_set(2 * CCTX_SECOND);
  CHECK(is_readable(fd));
  CHECK_EQ(cctx_loop_run(loop, cctx_now()), 2);
  CHECK_STR(called, "scl");
  cctx_unref(late);
  cctx_unref(child);
  cctx_unref(hard);
  cctx_unref(soft);
  cctx_loop_free(loop);
}

TEST(what_is_merged_with_a_grace_ends_when_that_is_over) {
  cctx_loop *loop = cctx_loop_new();
  cctx *soft = begin(), *hard = cctx_with_grace(soft, CCTX_SECOND);
  cctx *before = merge(cctx_background(), hard), *after;
  CHECK_EQ(cctx_on_done(before, loop, note, "b", NULL), 0);
  cctx_cancel(soft, "soft");
  after = merge(cctx_background(), hard);
  CHECK_EQ(cctx_on_done(after, loop, note, "a", NULL), 0);
  CHECK_EQ(cctx_err(before), 0);
  CHECK_EQ(cctx_loop_next(loop), 2 * CCTX_SECOND);
  cctx_clock_set(2 * CCTX_SECOND);
  check_cause(before, CCTX_ECANCELED, "soft", 2 * CCTX_SECOND);
  check_cause(after, CCTX_ECANCELED, "soft", 2 * CCTX_SECOND);
  CHECK_EQ(cctx_loop_run(loop, cctx_now()), 2);
  CHECK_STR(called, "ba");
  cctx_unref(after);
  cctx_unref(before);
  cctx_unref(hard);
  cctx_unref(soft);
  cctx_loop_free(loop);
}
