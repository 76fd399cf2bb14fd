/* SPDX-License-Identifier: Apache-2.0 */
/* The tree: its roots, references, and the deadlines that are derived down it. */
#include <cctx.h>

#include "check.h"

TEST(background_is_never_done) {
  struct cctx_cause cause;
  cctx *root = cctx_background();
  CHECK(root != NULL);
  CHECK(root == cctx_background());
  CHECK_EQ(cctx_err(root), 0);
  CHECK_EQ(cctx_cause(root, &cause), 0);
  CHECK_EQ(cause.status, 0);
  CHECK_EQ(cctx_deadline(root), CCTX_NEVER);
  CHECK_EQ(cctx_remaining(root), CCTX_NEVER);
  CHECK(!cctx_can_be_done(root));
  CHECK_EQ(cctx_metadata_count(root), 0);
}

TEST(todo_behaves_as_background_and_differs_from_it) {
  CHECK(cctx_todo() == cctx_todo());
  CHECK(cctx_todo() != cctx_background());
  CHECK_EQ(cctx_err(cctx_todo()), 0);
  CHECK_EQ(cctx_deadline(cctx_todo()), CCTX_NEVER);
  CHECK(!cctx_can_be_done(cctx_todo()));
  cctx *child = cctx_with_cancel(cctx_todo());
  CHECK_EQ(cctx_cancel(child, NULL), 1);
  CHECK_EQ(cctx_err(cctx_todo()), 0);
  cctx_unref(child);
}

TEST(the_roots_outlive_any_number_of_unrefs) {
  for (int i = 0; i < 3; i++) {
    cctx_unref(cctx_background());
    cctx_unref(cctx_todo());
    cctx_finish(cctx_background());
  }
  CHECK(cctx_ref(cctx_background()) == cctx_background());
  CHECK(cctx_ref(cctx_todo()) == cctx_todo());
  CHECK_EQ(cctx_err(cctx_background()), 0);
}

TEST(the_roots_are_not_counted_alive) {
  size_t before = cctx_alive();
  cctx_ref(cctx_background());
  CHECK_EQ(cctx_alive(), before);
  cctx *ctx = cctx_with_cancel(cctx_background());
  CHECK_EQ(cctx_alive(), before + 1);
  cctx_unref(ctx);
  CHECK_EQ(cctx_alive(), before);
}

TEST(the_last_reference_frees) {
  size_t before = cctx_alive();
  cctx *ctx = cctx_with_cancel(cctx_background());
  CHECK(cctx_ref(ctx) == ctx);
  cctx_unref(ctx);
  CHECK_EQ(cctx_alive(), before + 1);
  cctx_unref(ctx);
  CHECK_EQ(cctx_alive(), before);
}

TEST(null_may_be_given_back) {
  cctx_unref(NULL);
  cctx_finish(NULL);
}

TEST(a_child_keeps_its_parent_alive) {
  size_t before = cctx_alive();
  cctx *parent = cctx_with_cancel(cctx_background());
  cctx *middle = cctx_with_deadline(parent, CCTX_NEVER);
  cctx *child = cctx_with_cancel(middle);
  cctx_unref(parent);
  cctx_unref(middle);
  CHECK_EQ(cctx_alive(), before + 3);
  CHECK_EQ(cctx_err(child), 0);
  cctx_unref(child);
  CHECK_EQ(cctx_alive(), before);
}

TEST(giving_back_does_not_cancel) {
  cctx *parent = cctx_with_cancel(cctx_background());
  cctx *child = cctx_with_cancel(parent);
  cctx_unref(parent);
  CHECK_EQ(cctx_err(child), 0);
  cctx_unref(child);
}

TEST(a_freed_child_leaves_its_parent_as_it_was) {
  cctx *parent = cctx_with_timeout(cctx_background(), 100 * CCTX_SECOND);
  int64_t deadline = cctx_deadline(parent);
  cctx_finish(cctx_with_timeout(parent, CCTX_SECOND));
  CHECK_EQ(cctx_err(parent), 0);
  CHECK_EQ(cctx_deadline(parent), deadline);
  cctx_unref(parent);
}

TEST(what_can_be_canceled_can_be_done) {
  cctx *canceler = cctx_with_cancel(cctx_background());
  cctx *timer = cctx_with_deadline(cctx_background(), 1);
  cctx *below = cctx_with_values(canceler, NULL, 0);
  cctx *value = cctx_with_values(cctx_background(), NULL, 0);
  CHECK(cctx_can_be_done(canceler));
  CHECK(cctx_can_be_done(timer));
  CHECK(cctx_can_be_done(below));
  CHECK(!cctx_can_be_done(value));
  cctx_unref(value);
  cctx_unref(below);
  cctx_unref(timer);
  cctx_unref(canceler);
}

/* ---- Deadlines ------------------------------------------------------------------ */

TEST(a_deadline_is_told_and_counted_down) {
  cctx_clock_set(1000);
  cctx *ctx = cctx_with_deadline(cctx_background(), 1500);
  CHECK_EQ(cctx_deadline(ctx), 1500);
  CHECK_EQ(cctx_remaining(ctx), 500);
  cctx_clock_set(1499);
  CHECK_EQ(cctx_remaining(ctx), 1);
  cctx_clock_set(1500);
  CHECK_EQ(cctx_remaining(ctx), 0);
  cctx_clock_set(9999);
  CHECK_EQ(cctx_remaining(ctx), 0);
  CHECK_EQ(cctx_deadline(ctx), 1500);
  cctx_unref(ctx);
}

TEST(a_timeout_counts_from_its_creation) {
  cctx_clock_set(1000);
  cctx *ctx = cctx_with_timeout(cctx_background(), 250);
  cctx_clock_set(1100);
  CHECK_EQ(cctx_deadline(ctx), 1250);
  CHECK_EQ(cctx_remaining(ctx), 150);
  cctx_unref(ctx);
}

/* S1: a child's deadline is cut to its parent's. */
TEST(a_later_deadline_is_cut_to_the_parents) {
  cctx_clock_set(1000);
  cctx *parent = cctx_with_deadline(cctx_background(), 2000);
  cctx *child = cctx_with_deadline(parent, 3000);
  cctx *never = cctx_with_deadline(child, CCTX_NEVER);
  CHECK_EQ(cctx_deadline(child), 2000);
  CHECK_EQ(cctx_deadline(never), 2000);
  CHECK_EQ(cctx_remaining(child), 1000);
  cctx_clock_set(2000);
  CHECK_EQ(cctx_err(child), CCTX_EDEADLINE);
  CHECK_EQ(cctx_err(never), CCTX_EDEADLINE);
  cctx_unref(never);
  cctx_unref(child);
  cctx_unref(parent);
}

TEST(an_earlier_deadline_holds_for_the_child_alone) {
  cctx_clock_set(1000);
  cctx *parent = cctx_with_deadline(cctx_background(), 3000);
  cctx *child = cctx_with_deadline(parent, 2000);
  CHECK_EQ(cctx_deadline(child), 2000);
  CHECK_EQ(cctx_deadline(parent), 3000);
  cctx_clock_set(2000);
  CHECK_EQ(cctx_err(child), CCTX_EDEADLINE);
  CHECK_EQ(cctx_err(parent), 0);
  cctx_unref(child);
  cctx_unref(parent);
}

TEST(every_kind_of_child_inherits_the_deadline) {
  struct cctx_metadata_pair pair = {CCTX_HOP, "name", "value", 5};
  cctx *meta = NULL;
  cctx_clock_set(1000);
  cctx *parent = cctx_with_deadline(cctx_background(), 2000);
  cctx *canceler = cctx_with_cancel(parent);
  cctx *value = cctx_with_values(canceler, NULL, 0);
  CHECK_EQ(cctx_with_metadata(&meta, value, &pair, 1, NULL), 0);
  CHECK_EQ(cctx_deadline(canceler), 2000);
  CHECK_EQ(cctx_deadline(value), 2000);
  CHECK_EQ(cctx_deadline(meta), 2000);
  cctx_clock_set(2000);
  CHECK_EQ(cctx_err(canceler), CCTX_EDEADLINE);
  CHECK_EQ(cctx_err(value), CCTX_EDEADLINE);
  CHECK_EQ(cctx_err(meta), CCTX_EDEADLINE);
  cctx_unref(meta);
  cctx_unref(value);
  cctx_unref(canceler);
  cctx_unref(parent);
}

TEST(a_context_without_deadline_has_all_the_time) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  CHECK_EQ(cctx_deadline(ctx), CCTX_NEVER);
  CHECK_EQ(cctx_remaining(ctx), CCTX_NEVER);
  CHECK_EQ(cctx_cancel(ctx, NULL), 1);
  CHECK_EQ(cctx_remaining(ctx), CCTX_NEVER);
  cctx_unref(ctx);
}

TEST(a_timeout_that_does_not_fit_is_no_limit) {
  cctx_clock_set(1000);
  cctx *ctx = cctx_with_timeout(cctx_background(), CCTX_NEVER - 5);
  CHECK_EQ(cctx_deadline(ctx), CCTX_NEVER);
  CHECK_EQ(cctx_err(ctx), 0);
  cctx_clock_set(CCTX_NEVER);
  CHECK_EQ(cctx_err(ctx), 0);
  CHECK_EQ(cctx_cancel(ctx, NULL), 1);
  cctx_unref(ctx);
}

/* S14: a negative timeout gives a context that is born done, not an error. */
TEST(a_negative_timeout_is_born_done) {
  static const int64_t timeouts[] = {0, -1, -CCTX_SECOND, INT64_MIN};
  cctx_clock_set(1000);
  for (size_t i = 0; i < sizeof timeouts / sizeof *timeouts; i++) {
    cctx *ctx = cctx_with_timeout(cctx_background(), timeouts[i]);
    CHECK(ctx != NULL);
    CHECK_EQ(cctx_err(ctx), CCTX_EDEADLINE);
    CHECK_EQ(cctx_remaining(ctx), 0);
    CHECK_EQ(cctx_deadline(ctx), 1000 + timeouts[i]);
    CHECK_EQ(cctx_cancel(ctx, "too late"), 0);
    CHECK_EQ(cctx_err(ctx), CCTX_EDEADLINE);
    cctx_unref(ctx);
  }
}

TEST(the_earliest_possible_deadline_has_passed) {
  cctx *ctx = cctx_with_deadline(cctx_background(), INT64_MIN);
  CHECK_EQ(cctx_err(ctx), CCTX_EDEADLINE);
  CHECK_EQ(cctx_remaining(ctx), 0);
  cctx_unref(ctx);
}

/* S5: err looks at the clock; no timer has to fire first. */
TEST(err_looks_at_the_clock) {
  cctx_clock_set(1000);
  cctx *ctx = cctx_with_deadline(cctx_background(), 2000);
  cctx_clock_set(1999);
  CHECK_EQ(cctx_err(ctx), 0);
  cctx_clock_set(2000);
  CHECK_EQ(cctx_err(ctx), CCTX_EDEADLINE);
  cctx_unref(ctx);
}

TEST(a_real_deadline_passes_by_itself) {
  cctx *ctx = cctx_with_timeout(cctx_background(), CCTX_MILLISECOND / 10);
  int64_t give_up = cctx_now() + 30 * CCTX_SECOND;
  while (cctx_err(ctx) == 0 && cctx_now() < give_up) continue;
  CHECK_EQ(cctx_err(ctx), CCTX_EDEADLINE);
  CHECK(cctx_now() >= cctx_deadline(ctx));
  cctx_unref(ctx);
}

TEST(a_deadline_stays_what_it_is_when_the_context_is_done) {
  cctx_clock_set(1000);
  cctx *ctx = cctx_with_deadline(cctx_background(), 2000);
  CHECK_EQ(cctx_cancel(ctx, NULL), 1);
  CHECK_EQ(cctx_deadline(ctx), 2000);
  CHECK_EQ(cctx_remaining(ctx), 1000);
  cctx_unref(ctx);
}
