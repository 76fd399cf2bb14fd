/* SPDX-License-Identifier: Apache-2.0 */
/* Keys: private ones are their variable, named ones are their name. */
#include <cctx.h>

#include "check.h"

TEST(two_private_keys_of_one_name_are_two_keys) {
  static cctx_key one = CCTX_KEY_INIT("session"), two = CCTX_KEY_INIT("session");
  cctx_variant out;
  cctx *ctx = cctx_with_value(cctx_background(), &one, cctx_int(1));
  CHECK_EQ(cctx_value(ctx, &two, &out), CCTX_ENOTFOUND);
  cctx *both = cctx_with_value(ctx, &two, cctx_int(2));
  CHECK_EQ(cctx_value(both, &one, &out), 0);
  CHECK_EQ(out.as.i, 1);
  cctx_unref(both);
  cctx_unref(ctx);
}

TEST(a_private_key_is_not_the_named_one) {
  static cctx_key mine = CCTX_KEY_INIT("tenant");
  cctx_variant out;
  cctx *ctx = cctx_with_value(cctx_background(), &mine, cctx_int(1));
  CHECK(cctx_key_named("tenant") != &mine);
  CHECK_EQ(cctx_value(ctx, cctx_key_named("tenant"), &out), CCTX_ENOTFOUND);
  cctx_unref(ctx);
}

TEST(a_key_gets_its_id_at_first_use) {
  static cctx_key one = CCTX_KEY_INIT("one"), two = CCTX_KEY_INIT("two");
  CHECK_EQ(one.id, 0);
  cctx *ctx = cctx_with_value(cctx_background(), &one, cctx_nil());
  uint32_t id = one.id;
  CHECK(id != 0);
  CHECK_EQ(two.id, 0);
  cctx *more = cctx_with_value(ctx, &one, cctx_nil());
  CHECK_EQ(one.id, id);
  cctx *other = cctx_with_value(more, &two, cctx_nil());
  CHECK(two.id != 0);
  CHECK(two.id != id);
  cctx_unref(other);
  cctx_unref(more);
  cctx_unref(ctx);
}

/* S7: a named key is the same key for everybody who asks for the name. */
TEST(a_named_key_is_the_same_for_everybody) {
  char name[] = "request.user";
  cctx_variant out;
  cctx_key *key = cctx_key_named("request.user");
  CHECK(key != NULL);
  CHECK(cctx_key_named(name) == key);
  memset(name, 'x', 3);
  CHECK_STR(key->name, "request.user");
  cctx *ctx = cctx_with_value(cctx_background(), key, cctx_int(42));
  CHECK_EQ(cctx_value(ctx, cctx_key_find("request.user"), &out), 0);
  CHECK_EQ(out.as.i, 42);
  cctx_unref(ctx);
}

TEST(names_differ_in_every_byte) {
  cctx_key *key = cctx_key_named("name");
  CHECK(cctx_key_named("Name") != key);
  CHECK(cctx_key_named("name ") != key);
  CHECK(cctx_key_named("nam") != key);
  CHECK(cctx_key_named("n\xc3\xa4me") != NULL);
}

TEST(finding_never_adds_a_name) {
  CHECK(cctx_key_find("nobody asked") == NULL);
  CHECK(cctx_key_find("nobody asked") == NULL);
  cctx_key *key = cctx_key_named("nobody asked");
  CHECK(key != NULL);
  CHECK(cctx_key_find("nobody asked") == key);
}

TEST(a_name_is_not_empty_and_not_too_long) {
  char name[CCTX_KEY_NAME_MAX + 2];
  memset(name, 'n', sizeof name);
  name[CCTX_KEY_NAME_MAX + 1] = '\0';
  CHECK(cctx_key_named(name) == NULL);
  CHECK(cctx_key_find(name) == NULL);
  name[CCTX_KEY_NAME_MAX] = '\0';
  CHECK(cctx_key_named(name) != NULL);
  CHECK(cctx_key_find(name) == cctx_key_named(name));
  CHECK(cctx_key_named("") == NULL);
  CHECK(cctx_key_find("") == NULL);
}

/* The last test of the program: it fills the table for good. */
TEST(a_full_table_refuses_new_names_and_keeps_the_old) {
  char name[32];
  int taken = 0;
  cctx_key *old = cctx_key_named("an old name");
  cctx_variant out;
  CHECK(old != NULL);
  for (int i = 0; i < CCTX_KEY_NAMES_MAX; i++) {
    snprintf(name, sizeof name, "filler %d", i);
    cctx_key *key = cctx_key_named(name);
    CHECK((key != NULL) == (cctx_key_find(name) != NULL));
    CHECK(key == NULL || cctx_key_find(name) == key);
    taken += key != NULL;
  }
  CHECK(taken < CCTX_KEY_NAMES_MAX); /* the old name has its place */
  CHECK(taken > CCTX_KEY_NAMES_MAX - 100);
  CHECK(cctx_key_named("one more name") == NULL);
  CHECK(cctx_key_find("one more name") == NULL);
  CHECK(cctx_key_named("an old name") == old);
  CHECK(cctx_key_named("filler 0") == cctx_key_find("filler 0"));
  cctx *ctx = cctx_with_value(cctx_background(), old, cctx_int(1));
  CHECK_EQ(cctx_value(ctx, cctx_key_find("one more name"), &out), CCTX_ENOTFOUND);
  CHECK_EQ(cctx_value(ctx, cctx_key_find("an old name"), &out), 0);
  cctx_unref(ctx);
}
