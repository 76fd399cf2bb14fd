/* SPDX-License-Identifier: Apache-2.0 */
/* What goes on after its request: a detached context, what it keeps and what it drops. */
#include <cctx.h>

#include "check.h"

static cctx_key red = CCTX_KEY_INIT("red"), blue = CCTX_KEY_INIT("blue");

static int retained, released;
static void retain(void *ptr) { retained += *(int *)ptr; }
static void release(void *ptr) { released += *(int *)ptr; }

static int64_t int_of(const cctx *ctx, const cctx_key *key) {
  cctx_variant value = cctx_nil();
  return cctx_value(ctx, key, &value) == 0 && value.type == CCTX_INT ? value.as.i : -1;
}

/* S8: a detached context keeps values and metadata, and drops deadline and cancellation. */
TEST(detached_keeps_values_and_metadata_and_drops_the_rest) {
  struct cctx_metadata_pair pairs[] = {
      {CCTX_HOP, "h", "1", 1}, {CCTX_REQUEST, "r", "2", 1}, {CCTX_UPSTREAM, "u", "3", 1}};
  cctx *meta = NULL;
  struct cctx_cause cause;
  cctx_clock_set(500);
  cctx *timer = cctx_with_deadline(cctx_background(), 600);
  cctx *value = cctx_with_value(timer, &red, cctx_int(1));
  CHECK_EQ(cctx_with_metadata(&meta, value, pairs, 3, NULL), 0);
  cctx *ctx = cctx_detached(meta, 0);
  CHECK_EQ(cctx_cancel(timer, NULL), 1);
  cctx_clock_set(700);
  CHECK_EQ(cctx_err(meta), CCTX_ECANCELED);
  CHECK_EQ(cctx_err(ctx), 0);
  CHECK_EQ(cctx_cause(ctx, &cause), 0);
  CHECK_EQ(cctx_deadline(ctx), CCTX_NEVER);
  CHECK_EQ(cctx_remaining(ctx), CCTX_NEVER);
  CHECK(!cctx_can_be_done(ctx));
  CHECK_EQ(int_of(ctx, &red), 1);
  CHECK_EQ(cctx_metadata_count(ctx), 3);
  for (size_t i = 0; i < 3; i++) {
    struct cctx_metadata_pair pair = {CCTX_HOP, "", "", 0};
    CHECK_EQ(cctx_metadata_at(ctx, i, &pair), 0);
    CHECK_EQ(pair.scope, pairs[i].scope);
    CHECK_STR(pair.name, pairs[i].name);
    CHECK_STR(pair.value, pairs[i].value);
  }
  cctx_unref(ctx);
  cctx_unref(meta);
  cctx_unref(value);
  cctx_unref(timer);
}

TEST(what_is_detached_of_a_done_context_is_live) {
  cctx *parent = cctx_with_cancel(cctx_background());
  CHECK_EQ(cctx_cancel(parent, NULL), 1);
  cctx *ctx = cctx_detached(parent, 0);
  cctx *child = cctx_with_cancel(ctx);
  CHECK_EQ(cctx_err(ctx), 0);
  CHECK_EQ(cctx_err(child), 0);
  CHECK_EQ(cctx_cancel(child, NULL), 1);
  CHECK_EQ(cctx_err(ctx), 0);
  cctx_unref(child);
  cctx_unref(ctx);
  cctx_unref(parent);
}

TEST(detached_is_not_canceled_itself) {
  cctx *parent = cctx_with_cancel(cctx_background());
  cctx *ctx = cctx_detached(parent, 0);
  cctx *kept = cctx_detached(parent, CCTX_KEEP_DEADLINE);
  CHECK_EQ(cctx_cancel(ctx, NULL), CCTX_EINVAL);
  CHECK_EQ(cctx_cancel(kept, NULL), CCTX_EINVAL);
  CHECK_EQ(cctx_err(ctx), 0);
  CHECK_EQ(cctx_err(parent), 0);
  CHECK(!cctx_can_be_done(kept)); /* there was no deadline to keep */
  cctx_unref(kept);
  cctx_unref(ctx);
  cctx_unref(parent);
}

TEST(a_kept_deadline_stops_with_its_owners_cause) {
  struct cctx_cause cause;
  cctx_clock_set(500);
  cctx *owner = cctx_with_deadline_at(cctx_background(), 600, "budget", "b.c", 9);
  cctx *later = cctx_with_deadline_at(owner, 900, "lost", "l.c", 1);
  cctx *ctx = cctx_detached(later, CCTX_KEEP_DEADLINE);
  cctx *child = cctx_with_deadline_at(ctx, 800, "lost too", "c.c", 2);
  CHECK_EQ(cctx_cancel(owner, "gone"), 1);
  cctx_unref(later);
  cctx_unref(owner);
  CHECK_EQ(cctx_deadline(ctx), 600);
  CHECK_EQ(cctx_err(ctx), 0);
  CHECK_EQ(cctx_cancel(ctx, NULL), CCTX_EINVAL);
  cctx_clock_set(700);
  CHECK_EQ(cctx_cause(ctx, &cause), CCTX_EDEADLINE);
  CHECK_STR(cause.message, "budget");
  CHECK_STR(cause.file, "b.c");
  CHECK_EQ(cause.line, 9);
  CHECK_EQ(cause.time, 600);
  CHECK_EQ(cctx_deadline(child), 600);
  CHECK_EQ(cctx_cause(child, &cause), CCTX_EDEADLINE);
  CHECK_STR(cause.message, "budget");
  cctx_unref(child);
  cctx_unref(ctx);
}

TEST(a_kept_deadline_is_kept_again) {
  struct cctx_cause cause;
  cctx_clock_set(500);
  cctx *owner = cctx_with_deadline_at(cctx_background(), 600, "budget", "b.c", 9);
  cctx *once = cctx_detached(owner, CCTX_KEEP_DEADLINE);
  cctx *twice = cctx_detached(once, CCTX_KEEP_DEADLINE);
  cctx *never = cctx_detached(once, 0);
  cctx_unref(once);
  cctx_unref(owner);
  cctx_clock_set(600);
  CHECK_EQ(cctx_cause(twice, &cause), CCTX_EDEADLINE);
  CHECK_STR(cause.message, "budget");
  CHECK_EQ(cctx_err(never), 0);
  CHECK_EQ(cctx_deadline(never), CCTX_NEVER);
  cctx_unref(never);
  cctx_unref(twice);
}

TEST(detached_keeps_no_ancestor_alive) {
  int one = 1, ten = 10;
  retained = released = 0;
  size_t before = cctx_alive();
  cctx *hidden =
      cctx_with_value(cctx_background(), &red, cctx_pointer(&ten, retain, release, NULL));
  cctx *canceler = cctx_with_cancel(hidden);
  cctx *visible =
      cctx_with_value(canceler, &red, cctx_pointer(&one, retain, release, NULL));
  cctx *ctx = cctx_detached(visible, 0);
  CHECK_EQ(retained, 12);
  cctx_unref(hidden);
  cctx_unref(canceler);
  CHECK_EQ(released, 0);
  cctx_unref(visible);
  CHECK_EQ(cctx_alive(), before + 1);
  CHECK_EQ(released, 11); /* the hidden one is gone, and the ancestors' own */
  cctx_unref(ctx);
  CHECK_EQ(released, 12);
}

TEST(detached_keeps_the_nearest_values_of_all_levels) {
  cctx_variant out = cctx_nil();
  struct cctx_entry twice[] = {{&blue, cctx_int(1)}, {&blue, cctx_int(2)}};
  cctx *one = cctx_with_value(cctx_background(), &red, cctx_text("red string"));
  cctx *two = cctx_with_values(one, twice, 2);
  cctx *ctx = cctx_detached(two, 0);
  CHECK_EQ(cctx_alive(), 3);
  cctx_unref(two);
  cctx_unref(one);
  CHECK_EQ(int_of(ctx, &blue), 2);
  CHECK_EQ(cctx_value(ctx, &red, &out), 0);
  CHECK_EQ(out.as.s.len, 10);
  CHECK(memcmp(out.as.s.bytes, "red string", 10) == 0);
  cctx_unref(ctx);
}

TEST(detached_keeps_a_nil_that_hides) {
  cctx_variant out = cctx_int(7);
  cctx *one = cctx_with_value(cctx_background(), &red, cctx_int(1));
  cctx *nil = cctx_with_value(one, &red, cctx_nil());
  cctx *ctx = cctx_detached(nil, 0);
  CHECK_EQ(cctx_value(ctx, &red, &out), 0);
  CHECK_EQ(out.type, CCTX_NIL);
  CHECK_EQ(cctx_value(ctx, &blue, &out), CCTX_ENOTFOUND);
  cctx_unref(ctx);
  cctx_unref(nil);
  cctx_unref(one);
}

TEST(detached_of_no_values_at_all_is_not_a_failure) {
  cctx *empty = cctx_with_values(cctx_background(), NULL, 0);
  cctx *ctx = cctx_detached(empty, 0);
  CHECK(ctx != NULL);
  cctx_unref(ctx);
  cctx_unref(empty);
}

TEST(detached_of_empty_metadata_has_none) {
  cctx *empty = NULL;
  CHECK_EQ(cctx_with_metadata(&empty, cctx_background(), NULL, 0, NULL), 0);
  cctx *ctx = cctx_detached(empty, 0);
  CHECK(ctx != NULL);
  CHECK_EQ(cctx_metadata_count(ctx), 0);
  cctx_unref(ctx);
  cctx_unref(empty);
}

TEST(detached_of_a_root_is_a_context_of_its_own) {
  cctx *ctx = cctx_detached(cctx_background(), CCTX_KEEP_DEADLINE);
  CHECK(ctx != NULL);
  CHECK(ctx != cctx_background());
  CHECK_EQ(cctx_err(ctx), 0);
  CHECK_EQ(cctx_deadline(ctx), CCTX_NEVER);
  CHECK_EQ(cctx_alive(), 1);
  cctx_unref(ctx);
}

TEST(what_is_set_below_detached_adds_to_what_it_kept) {
  struct cctx_metadata_pair old = {CCTX_REQUEST, "a", "1", 1},
                            new = {CCTX_HOP, "b", "2", 1};
  cctx *parent = NULL, *child = NULL;
  CHECK_EQ(cctx_with_metadata(&parent, cctx_background(), &old, 1, NULL), 0);
  cctx *ctx = cctx_detached(parent, 0);
  cctx_unref(parent);
  CHECK_EQ(cctx_with_metadata(&child, ctx, &new, 1, NULL), 0);
  cctx *value = cctx_with_value(child, &blue, cctx_int(2));
  CHECK_STR(cctx_metadata(value, "a", NULL), "1");
  CHECK_STR(cctx_metadata(value, "b", NULL), "2");
  CHECK_EQ(int_of(value, &blue), 2);
  CHECK_EQ(cctx_metadata_count(ctx), 1);
  cctx_unref(value);
  cctx_unref(child);
  cctx_unref(ctx);
}
