/* SPDX-License-Identifier: Apache-2.0 */
/* Values: what is stored, what is found, who owns a pointer. */
#include <cctx.h>

#include "check.h"

static cctx_key red = CCTX_KEY_INIT("color"), blue = CCTX_KEY_INIT("color");

static int retained, released;
static void retain(void *ptr) { retained += *(int *)ptr; }
static void release(void *ptr) { released += *(int *)ptr; }

static int64_t int_of(const cctx *ctx, const cctx_key *key) {
  cctx_variant value = cctx_nil();
  if (cctx_value(ctx, key, &value) != 0) return -1;
  CHECK_EQ(value.type, CCTX_INT);
  return value.as.i;
}

TEST(a_variant_says_its_type) {
  static const int owner = 0;
  int thing = 1;
  CHECK_EQ(cctx_nil().type, CCTX_NIL);
  CHECK_EQ(cctx_bool(true).type, CCTX_BOOL);
  CHECK(cctx_bool(true).as.b);
  CHECK(!cctx_bool(false).as.b);
  CHECK_EQ(cctx_int(INT64_MIN).as.i, INT64_MIN);
  CHECK(cctx_double(0.5).as.d == 0.5);
  CHECK_EQ(cctx_text("four").as.s.len, 4);
  CHECK_EQ(cctx_bytes("a\0b", 3).as.s.len, 3);
  cctx_variant pointer = cctx_pointer(&thing, retain, release, &owner);
  CHECK_EQ(pointer.type, CCTX_POINTER);
  CHECK(pointer.as.p.ptr == &thing);
  CHECK(pointer.as.p.owner == &owner);
}

TEST(every_type_is_read_as_it_was_stored) {
  cctx_variant out;
  cctx *ctx = cctx_with_value(cctx_background(), &red, cctx_bool(true));
  CHECK_EQ(cctx_value(ctx, &red, &out), 0);
  CHECK_EQ(out.type, CCTX_BOOL);
  CHECK(out.as.b);
  cctx_unref(ctx);
  ctx = cctx_with_value(cctx_background(), &red, cctx_int(INT64_MAX));
  CHECK_EQ(int_of(ctx, &red), INT64_MAX);
  cctx_unref(ctx);
  ctx = cctx_with_value(cctx_background(), &red, cctx_double(-0.25));
  CHECK_EQ(cctx_value(ctx, &red, &out), 0);
  CHECK_EQ(out.type, CCTX_DOUBLE);
  CHECK(out.as.d == -0.25);
  cctx_unref(ctx);
}

/* S6: the nearest value of a key wins. */
TEST(the_nearest_value_wins) {
  cctx *one = cctx_with_value(cctx_background(), &red, cctx_int(1));
  cctx *between = cctx_with_cancel(one);
  cctx *two = cctx_with_value(between, &red, cctx_int(2));
  cctx *below = cctx_with_timeout(two, CCTX_SECOND);
  CHECK_EQ(int_of(one, &red), 1);
  CHECK_EQ(int_of(between, &red), 1);
  CHECK_EQ(int_of(two, &red), 2);
  CHECK_EQ(int_of(below, &red), 2);
  cctx_unref(below);
  cctx_unref(two);
  cctx_unref(between);
  cctx_unref(one);
}

/* S6: a stored nil is a value, not an absence. */
TEST(a_stored_nil_hides_the_parents_value) {
  cctx_variant out = cctx_int(7);
  cctx *one = cctx_with_value(cctx_background(), &red, cctx_int(1));
  cctx *nil = cctx_with_value(one, &red, cctx_nil());
  CHECK_EQ(cctx_value(nil, &red, &out), 0);
  CHECK_EQ(out.type, CCTX_NIL);
  cctx_unref(nil);
  cctx_unref(one);
}

TEST(what_is_not_found_leaves_out_as_it_was) {
  cctx_variant out = cctx_int(7);
  cctx *ctx = cctx_with_value(cctx_background(), &red, cctx_int(1));
  CHECK_EQ(cctx_value(ctx, &blue, &out), CCTX_ENOTFOUND);
  CHECK_EQ(out.as.i, 7);
  CHECK_EQ(cctx_value(ctx, NULL, &out), CCTX_ENOTFOUND);
  CHECK_EQ(out.as.i, 7);
  CHECK_EQ(cctx_value(cctx_background(), &red, &out), CCTX_ENOTFOUND);
  CHECK_EQ(out.type, CCTX_INT);
  CHECK_EQ(out.as.i, 7);
  cctx_unref(ctx);
}

TEST(a_sibling_sees_nothing) {
  cctx *parent = cctx_with_cancel(cctx_background());
  cctx *one = cctx_with_value(parent, &red, cctx_int(1));
  cctx *two = cctx_with_value(parent, &blue, cctx_int(2));
  CHECK_EQ(int_of(one, &blue), -1);
  CHECK_EQ(int_of(two, &red), -1);
  CHECK_EQ(int_of(parent, &red), -1);
  cctx_unref(two);
  cctx_unref(one);
  cctx_unref(parent);
}

TEST(a_string_is_copied_with_all_its_bytes) {
  char bytes[] = "a\0b\xff";
  cctx_variant out;
  cctx *ctx = cctx_with_value(cctx_background(), &red, cctx_bytes(bytes, 4));
  memset(bytes, 'x', sizeof bytes);
  CHECK_EQ(cctx_value(ctx, &red, &out), 0);
  CHECK_EQ(out.type, CCTX_STRING);
  CHECK_EQ(out.as.s.len, 4);
  CHECK(out.as.s.bytes != bytes);
  CHECK(memcmp(out.as.s.bytes, "a\0b\xff", 4) == 0);
  cctx_unref(ctx);
}

TEST(an_empty_string_is_a_value) {
  cctx_variant out = cctx_int(7);
  cctx *ctx = cctx_with_value(cctx_background(), &red, cctx_bytes(NULL, 0));
  CHECK_EQ(cctx_value(ctx, &red, &out), 0);
  CHECK_EQ(out.type, CCTX_STRING);
  CHECK_EQ(out.as.s.len, 0);
  CHECK(out.as.s.bytes != NULL);
  cctx_unref(ctx);
}

TEST(a_string_that_no_memory_can_hold_is_refused) {
  static const size_t lengths[] = {SIZE_MAX, SIZE_MAX / 2, SIZE_MAX / 4};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
    CHECK(cctx_with_value(cctx_background(), &red, cctx_bytes("x", lengths[i])) == NULL);
}

TEST(a_borrowed_string_lives_as_long_as_a_child) {
  cctx_variant out;
  cctx *parent = cctx_with_value(cctx_background(), &red, cctx_text("long lived"));
  cctx *child = cctx_with_cancel(parent);
  CHECK_EQ(cctx_value(child, &red, &out), 0);
  cctx_unref(parent);
  CHECK(memcmp(out.as.s.bytes, "long lived", 10) == 0);
  cctx_unref(child);
}

TEST(values_stay_readable_when_the_context_is_done) {
  cctx *parent = cctx_with_cancel(cctx_background());
  cctx *ctx = cctx_with_value(parent, &red, cctx_int(1));
  CHECK_EQ(cctx_cancel(parent, NULL), 1);
  CHECK_EQ(cctx_err(ctx), CCTX_ECANCELED);
  CHECK_EQ(int_of(ctx, &red), 1);
  cctx *late = cctx_with_value(ctx, &blue, cctx_int(2));
  CHECK_EQ(int_of(late, &blue), 2);
  cctx_unref(late);
  cctx_unref(ctx);
  cctx_unref(parent);
}

/* ---- Several in one node --------------------------------------------------------- */

TEST(several_values_are_stored_at_once) {
  size_t before = cctx_alive();
  char text[] = "sea";
  struct cctx_entry entries[] = {{&red, cctx_text(text)}, {&blue, cctx_text(text + 1)}};
  cctx_variant out;
  cctx *ctx = cctx_with_values(cctx_background(), entries, 2);
  memset(text, 'x', 3);
  CHECK_EQ(cctx_alive(), before + 1);
  CHECK_EQ(cctx_value(ctx, &red, &out), 0);
  CHECK_EQ(out.as.s.len, 3);
  CHECK(memcmp(out.as.s.bytes, "sea", 3) == 0);
  CHECK_EQ(cctx_value(ctx, &blue, &out), 0);
  CHECK_EQ(out.as.s.len, 2);
  CHECK(memcmp(out.as.s.bytes, "ea", 2) == 0);
  cctx_unref(ctx);
}

TEST(of_two_with_the_same_key_the_later_wins) {
  struct cctx_entry entries[] = {
      {&red, cctx_int(1)}, {&blue, cctx_int(2)}, {&red, cctx_int(3)}};
  cctx *ctx = cctx_with_values(cctx_background(), entries, 3);
  CHECK_EQ(int_of(ctx, &red), 3);
  CHECK_EQ(int_of(ctx, &blue), 2);
  cctx_unref(ctx);
}

TEST(no_values_at_all_are_allowed) {
  cctx *parent = cctx_with_value(cctx_background(), &red, cctx_int(1));
  cctx *ctx = cctx_with_values(parent, NULL, 0);
  CHECK(ctx != NULL);
  CHECK(ctx != parent);
  CHECK_EQ(int_of(ctx, &red), 1);
  cctx_unref(ctx);
  cctx_unref(parent);
}

TEST(many_values_are_all_found) {
  enum { MANY = 300 };
  static cctx_key keys[MANY];
  static struct cctx_entry entries[MANY];
  for (int i = 0; i < MANY; i++) entries[i] = (struct cctx_entry){&keys[i], cctx_int(i)};
  cctx *ctx = cctx_with_values(cctx_background(), entries, MANY);
  for (int i = 0; i < MANY; i++) CHECK_EQ(int_of(ctx, &keys[i]), i);
  cctx_unref(ctx);
}

/* ---- Pointers ------------------------------------------------------------------- */

TEST(a_pointer_is_retained_and_released_for_each_context_that_stores_it) {
  int one = 1;
  cctx_variant pointer = cctx_pointer(&one, retain, release, NULL);
  retained = released = 0;
  cctx *parent = cctx_with_value(cctx_background(), &red, pointer);
  CHECK_EQ(retained, 1);
  cctx *child = cctx_with_value(parent, &red, pointer);
  CHECK_EQ(retained, 2);
  cctx_unref(parent);
  CHECK_EQ(released, 0);
  cctx_unref(child);
  CHECK_EQ(retained, 2);
  CHECK_EQ(released, 2);
}

TEST(a_pointer_is_kept_by_what_is_derived_without_another_retain) {
  int one = 1;
  cctx_variant out;
  retained = released = 0;
  cctx *parent =
      cctx_with_value(cctx_background(), &red, cctx_pointer(&one, retain, release, &red));
  cctx *child = cctx_with_cancel(parent);
  cctx_unref(parent);
  CHECK_EQ(cctx_value(child, &red, &out), 0);
  CHECK(out.as.p.ptr == &one);
  CHECK(out.as.p.owner == &red);
  CHECK_EQ(retained, 1);
  CHECK_EQ(released, 0);
  cctx_unref(child);
  CHECK_EQ(released, 1);
}

TEST(a_hidden_entry_is_released_as_well) {
  int one = 1, ten = 10;
  struct cctx_entry entries[] = {{&red, cctx_pointer(&one, retain, release, NULL)},
                                 {&red, cctx_pointer(&ten, retain, release, NULL)}};
  retained = released = 0;
  cctx *ctx = cctx_with_values(cctx_background(), entries, 2);
  CHECK_EQ(retained, 11);
  cctx_unref(ctx);
  CHECK_EQ(released, 11);
}

TEST(a_pointer_without_hooks_is_nobodys_care) {
  int one = 1;
  cctx_variant out;
  cctx *ctx =
      cctx_with_value(cctx_background(), &red, cctx_pointer(&one, NULL, NULL, NULL));
  CHECK_EQ(cctx_value(ctx, &red, &out), 0);
  CHECK(out.as.p.ptr == &one);
  cctx_unref(ctx);
}

static cctx *in_hook;
static void derive_and_cancel(void *ptr) {
  cctx *ctx = cctx_with_cancel(ptr);
  CHECK_EQ(cctx_cancel(ctx, "from a hook"), 1);
  CHECK(cctx_key_named("from a hook") != NULL);
  cctx_unref(ctx);
  cctx_unref(in_hook);
  in_hook = NULL;
}

TEST(a_release_hook_may_call_the_library) {
  in_hook = cctx_with_value(cctx_background(), &blue, cctx_int(1));
  cctx *ctx = cctx_with_value(cctx_background(), &red,
                              cctx_pointer(cctx_todo(), NULL, derive_and_cancel, NULL));
  cctx_unref(ctx);
  CHECK(in_hook == NULL);
}
