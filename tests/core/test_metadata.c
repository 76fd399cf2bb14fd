/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata: scopes, look-up, order, and the budgets. */
#include <cctx.h>

#include "check.h"

/* Derive with one pair; the caller gives it back. */
static cctx *set(cctx *parent, enum cctx_metadata_scope scope, const char *name,
                 const char *value) {
  struct cctx_metadata_pair pair = {scope, name, value, strlen(value)};
  cctx *ctx = NULL;
  CHECK_EQ(cctx_with_metadata(&ctx, parent, &pair, 1, NULL), 0);
  return ctx;
}

/* "hop:a=1 request:b=2": all pairs in order. */
static const char *all_of(const cctx *ctx) {
  static char text[512];
  struct cctx_metadata_pair pair;
  size_t used = 0;
  text[0] = '\0';
  for (size_t i = 0; cctx_metadata_at(ctx, i, &pair) == 0; i++)
    used +=
        (size_t)snprintf(text + used, sizeof text - used, "%s%s:%s=%s", i ? " " : "",
                         cctx_metadata_scope_word((int)pair.scope), pair.name, pair.value);
  return text;
}

TEST(every_scope_has_its_word) {
  CHECK_STR(cctx_metadata_scope_word(CCTX_HOP), "hop");
  CHECK_STR(cctx_metadata_scope_word(CCTX_REQUEST), "request");
  CHECK_STR(cctx_metadata_scope_word(CCTX_UPSTREAM), "upstream");
  CHECK(cctx_metadata_scope_word(3) == NULL);
  CHECK(cctx_metadata_scope_word(-1) == NULL);
}

TEST(nothing_set_is_nothing_found) {
  struct cctx_metadata_pair pair = {CCTX_HOP, "same", "same", 4};
  size_t len = 77;
  CHECK(cctx_metadata(cctx_background(), "name", &len) == NULL);
  CHECK_EQ(len, 77);
  CHECK_EQ(cctx_metadata_count(cctx_background()), 0);
  CHECK_EQ(cctx_metadata_at(cctx_background(), 0, &pair), CCTX_ENOTFOUND);
  CHECK_STR(pair.name, "same");
}

TEST(a_pair_is_copied_and_ends_with_a_nul) {
  char name[] = "name", value[] = "a\0b!";
  struct cctx_metadata_pair pair = {CCTX_REQUEST, name, value, 3};
  cctx *ctx = NULL;
  size_t len = 0;
  CHECK_EQ(cctx_with_metadata(&ctx, cctx_background(), &pair, 1, NULL), 0);
  memset(name, 'x', 4);
  memset(value, 'x', 4);
  CHECK(memcmp(cctx_metadata(ctx, "name", &len), "a\0b", 4) == 0);
  CHECK_EQ(len, 3);
  CHECK_EQ(cctx_metadata_at(ctx, 0, &pair), 0);
  CHECK_STR(pair.name, "name");
  CHECK_EQ(pair.len, 3);
  CHECK(memcmp(pair.value, "a\0b", 4) == 0);
  cctx_unref(ctx);
}

TEST(an_empty_value_is_a_value) {
  struct cctx_metadata_pair pair = {CCTX_HOP, "name", "", 0};
  cctx *ctx = NULL;
  size_t len = 7;
  CHECK_EQ(cctx_with_metadata(&ctx, cctx_background(), &pair, 1, NULL), 0);
  CHECK_STR(cctx_metadata(ctx, "name", &len), "");
  CHECK_EQ(len, 0);
  cctx_unref(ctx);
}

TEST(a_child_sees_its_parents_pairs_and_hides_none_from_it) {
  cctx *parent = set(cctx_background(), CCTX_REQUEST, "a", "1");
  cctx *between = cctx_with_cancel(parent);
  cctx *child = set(between, CCTX_REQUEST, "a", "2");
  CHECK_STR(all_of(parent), "request:a=1");
  CHECK_STR(all_of(between), "request:a=1");
  CHECK_STR(all_of(child), "request:a=2");
  CHECK_EQ(cctx_metadata_count(child), 1);
  cctx_unref(child);
  cctx_unref(between);
  cctx_unref(parent);
}

TEST(case_matters_in_a_name) {
  cctx *one = set(cctx_background(), CCTX_HOP, "name", "1");
  cctx *two = set(one, CCTX_HOP, "Name", "2");
  CHECK_STR(cctx_metadata(two, "name", NULL), "1");
  CHECK_STR(cctx_metadata(two, "Name", NULL), "2");
  CHECK(cctx_metadata(two, "NAME", NULL) == NULL);
  cctx_unref(two);
  cctx_unref(one);
}

/* S9: setting a name in one scope removes it from the others, so that of hop, request and
 * upstream whichever was set last is found. */
TEST(setting_in_one_scope_removes_from_the_others) {
  static const enum cctx_metadata_scope scopes[] = {CCTX_UPSTREAM, CCTX_HOP, CCTX_REQUEST};
  static const char *const words[] = {"upstream", "hop", "request"};
  char expected[64];
  for (int from = 0; from < 3; from++)
    for (int to = 0; to < 3; to++) {
      cctx *one = set(cctx_background(), scopes[from], "name", "old");
      cctx *two = set(one, scopes[to], "name", "new");
      snprintf(expected, sizeof expected, "%s:name=new", words[to]);
      CHECK_STR(cctx_metadata(two, "name", NULL), "new");
      CHECK_STR(all_of(two), expected);
      CHECK_EQ(cctx_metadata_count(two), 1);
      cctx_unref(two);
      cctx_unref(one);
    }
}

TEST(the_order_is_that_of_the_first_setting) {
  struct cctx_metadata_pair pairs[] = {
      {CCTX_HOP, "c", "3", 1}, {CCTX_REQUEST, "a", "1", 1}, {CCTX_UPSTREAM, "b", "2", 1}};
  cctx *ctx = NULL;
  CHECK_EQ(cctx_with_metadata(&ctx, cctx_background(), pairs, 3, NULL), 0);
  cctx *again = set(ctx, CCTX_REQUEST, "c", "4");
  cctx *more = set(again, CCTX_HOP, "aa", "5");
  CHECK_STR(all_of(ctx), "hop:c=3 request:a=1 upstream:b=2");
  CHECK_STR(all_of(more), "request:c=4 request:a=1 upstream:b=2 hop:aa=5");
  cctx_unref(more);
  cctx_unref(again);
  cctx_unref(ctx);
}

TEST(of_two_pairs_of_one_name_the_later_wins) {
  struct cctx_metadata_pair pairs[] = {
      {CCTX_HOP, "a", "1", 1}, {CCTX_REQUEST, "b", "2", 1}, {CCTX_REQUEST, "a", "3", 1}};
  cctx *ctx = NULL;
  CHECK_EQ(cctx_with_metadata(&ctx, cctx_background(), pairs, 3, NULL), 0);
  CHECK_STR(all_of(ctx), "request:a=3 request:b=2");
  CHECK_EQ(cctx_metadata_count(ctx), 2);
  cctx_unref(ctx);
}

/* As a field does that was sent twice. */
TEST(every_reader_agrees_on_a_name_that_came_twice) {
  struct cctx_metadata_pair twice[] = {{CCTX_REQUEST, "a", "1", 1},
                                       {CCTX_REQUEST, "a", "2", 1},
                                       {CCTX_UPSTREAM, "a", "3", 1}};
  struct cctx_metadata_pair none = {CCTX_HOP, "a", NULL, 0};
  cctx *came = NULL, *again, *gone = NULL;
  CHECK_EQ(cctx_with_metadata(&came, cctx_background(), twice, 3, NULL), 0);
  again = set(came, CCTX_REQUEST, "a", "9");
  CHECK_EQ(cctx_with_metadata(&gone, again, &none, 1, NULL), 0);
  CHECK_STR(cctx_metadata(came, "a", NULL), "3");
  CHECK_STR(all_of(came), "upstream:a=3");
  CHECK_STR(cctx_metadata(again, "a", NULL), "9");
  CHECK_STR(all_of(again), "request:a=9");
  CHECK(cctx_metadata(gone, "a", NULL) == NULL);
  CHECK_STR(all_of(gone), "");
  CHECK_EQ(cctx_metadata_count(came), 1);
  CHECK_EQ(cctx_metadata_count(again), 1);
  CHECK_EQ(cctx_metadata_count(gone), 0);
  cctx_unref(gone);
  cctx_unref(again);
  cctx_unref(came);
}

TEST(no_pairs_at_all_give_a_child_that_sees_the_same) {
  cctx *parent = set(cctx_background(), CCTX_HOP, "a", "1"), *ctx = NULL, *bare = NULL;
  CHECK_EQ(cctx_with_metadata(&ctx, parent, NULL, 0, NULL), 0);
  CHECK(ctx != parent);
  CHECK_STR(all_of(ctx), "hop:a=1");
  CHECK_EQ(cctx_with_metadata(&bare, cctx_background(), NULL, 0, NULL), 0);
  CHECK_EQ(cctx_metadata_count(bare), 0);
  cctx_unref(bare);
  cctx_unref(ctx);
  cctx_unref(parent);
}

TEST(a_borrowed_value_lives_as_long_as_a_child) {
  cctx *parent = set(cctx_background(), CCTX_HOP, "a", "long lived");
  cctx *child = cctx_with_cancel(parent);
  const char *value = cctx_metadata(child, "a", NULL);
  cctx_unref(parent);
  CHECK_STR(value, "long lived");
  cctx_unref(child);
}

/* ---- Taking out ------------------------------------------------------------------ */

/* Derive without one name; the caller gives it back. */
static cctx *without(cctx *parent, const char *name) {
  struct cctx_metadata_pair pair = {CCTX_HOP, name, NULL, 0};
  cctx *ctx = NULL;
  CHECK_EQ(cctx_with_metadata(&ctx, parent, &pair, 1, NULL), 0);
  return ctx;
}

/* S46: and no other copy stays. */
TEST(a_pair_without_a_value_takes_its_name_out_of_whatever_scope) {
  static const enum cctx_metadata_scope scopes[] = {CCTX_UPSTREAM, CCTX_HOP, CCTX_REQUEST};
  for (int i = 0; i < 3; i++) {
    cctx *one = set(cctx_background(), CCTX_REQUEST, "kept", "1");
    cctx *two = set(one, scopes[i], "name", "2");
    cctx *three = without(two, "name");
    CHECK(cctx_metadata(three, "name", NULL) == NULL);
    CHECK_EQ(cctx_metadata_scope(three, "name"), CCTX_ENOTFOUND);
    CHECK_STR(all_of(three), "request:kept=1");
    CHECK_STR(cctx_metadata(two, "name", NULL), "2");
    cctx_unref(three);
    cctx_unref(two);
    cctx_unref(one);
  }
}

TEST(taking_out_what_is_not_there_changes_nothing) {
  cctx *one = set(cctx_background(), CCTX_HOP, "a", "1");
  cctx *two = without(one, "b"), *bare = without(cctx_background(), "b");
  CHECK_STR(all_of(two), "hop:a=1");
  CHECK_EQ(cctx_metadata_count(bare), 0);
  cctx_unref(bare);
  cctx_unref(two);
  cctx_unref(one);
}

TEST(without_its_last_pair_a_context_has_no_metadata) {
  struct cctx_metadata_pair pair;
  cctx *one = set(cctx_background(), CCTX_HOP, "a", "1"), *two = without(one, "a");
  cctx *below = cctx_with_cancel(two), *free = cctx_detached(below, 0);
  CHECK_EQ(cctx_metadata_count(two), 0);
  CHECK_EQ(cctx_metadata_count(below), 0);
  CHECK_EQ(cctx_metadata_count(free), 0);
  CHECK_EQ(cctx_metadata_at(below, 0, &pair), CCTX_ENOTFOUND);
  CHECK(cctx_metadata(free, "a", NULL) == NULL);
  cctx_unref(free);
  cctx_unref(below);
  cctx_unref(two);
  cctx_unref(one);
}

TEST(pairs_are_set_and_taken_out_one_after_the_other) {
  struct cctx_metadata_pair pairs[] = {
      {CCTX_HOP, "a", "2", 1},     {CCTX_HOP, "b", "3", 1},  {CCTX_HOP, "a", NULL, 9},
      {CCTX_HOP, "c", NULL, 0},    {CCTX_HOP, "c", "4", 1},  {CCTX_HOP, "d", "5", 1},
      {CCTX_REQUEST, "a", "6", 1}, {CCTX_HOP, "d", NULL, 0},
  };
  cctx *one = set(cctx_background(), CCTX_UPSTREAM, "a", "1"), *two = NULL;
  CHECK_EQ(cctx_with_metadata(&two, one, pairs, sizeof pairs / sizeof *pairs, NULL), 0);
  CHECK_STR(all_of(two), "hop:b=3 hop:c=4 request:a=6");
  CHECK_STR(all_of(one), "upstream:a=1");
  cctx_unref(two);
  cctx_unref(one);
}

/* Two children of one parent must not write into the same room. */
TEST(what_one_child_sets_its_sibling_does_not_see) {
  cctx *parent = set(cctx_background(), CCTX_REQUEST, "a", "1");
  cctx *left = set(parent, CCTX_REQUEST, "b", "left");
  cctx *right = set(parent, CCTX_REQUEST, "c", "right");
  cctx *changed = set(parent, CCTX_HOP, "a", "2"), *none = without(parent, "a");
  CHECK_STR(all_of(left), "request:a=1 request:b=left");
  CHECK_STR(all_of(right), "request:a=1 request:c=right");
  CHECK_STR(all_of(changed), "hop:a=2");
  CHECK_STR(all_of(none), "");
  CHECK_STR(all_of(parent), "request:a=1");
  cctx_unref(none);
  cctx_unref(changed);
  cctx_unref(right);
  cctx_unref(left);
  cctx_unref(parent);
}

TEST(texts_live_on_where_they_were_set) {
  cctx *ctx = set(cctx_background(), CCTX_REQUEST, "first", "from the root"), *child, *free;
  for (int i = 0; i < 20; i++) {
    child = set(ctx, CCTX_HOP, "counter", i % 2 ? "odd" : "even");
    cctx_unref(ctx);
    ctx = child;
  }
  free = cctx_detached(ctx, 0);
  CHECK_STR(all_of(ctx), "request:first=from the root hop:counter=odd");
  cctx_unref(ctx);
  CHECK_STR(all_of(free), "request:first=from the root hop:counter=odd");
  cctx_unref(free);
}

/* S45: so that one scope alone can be asked. */
TEST(the_scope_of_a_name_is_told) {
  cctx *hop = set(cctx_background(), CCTX_HOP, "a", "1");
  cctx *both = set(hop, CCTX_UPSTREAM, "b", "2"),
       *moved = set(both, CCTX_REQUEST, "a", "1");
  CHECK_EQ(cctx_metadata_scope(both, "a"), CCTX_HOP);
  CHECK_EQ(cctx_metadata_scope(both, "b"), CCTX_UPSTREAM);
  CHECK_EQ(cctx_metadata_scope(moved, "a"), CCTX_REQUEST);
  CHECK_EQ(cctx_metadata_scope(moved, "c"), CCTX_ENOTFOUND);
  CHECK_EQ(cctx_metadata_scope(cctx_background(), "a"), CCTX_ENOTFOUND);
  cctx_unref(moved);
  cctx_unref(both);
  cctx_unref(hop);
}

/* Each name is the beginning of the next. */
TEST(a_name_is_compared_to_its_end) {
  enum { N = 150 };
  static char as[N + 1];
  cctx *ctx = cctx_background();
  memset(as, 'a', N);
  for (int i = 0; i < N; i++) {
    cctx *child = set(ctx, CCTX_HOP, &as[i], "");
    cctx_unref(ctx);
    ctx = child;
  }
  CHECK_EQ(cctx_metadata_count(ctx), N);
  for (int i = N - 1; i >= 0; i -= 2) {
    cctx *child = without(ctx, &as[i]);
    cctx_unref(ctx);
    ctx = child;
  }
  CHECK_EQ(cctx_metadata_count(ctx), N / 2);
  for (int i = 0; i < N; i++)
    CHECK_EQ(cctx_metadata_scope(ctx, &as[i]), i % 2 ? CCTX_ENOTFOUND : CCTX_HOP);
  cctx_unref(ctx);
}

/* A name is only a name: what some carrier makes of a prefix is that carrier's. */
TEST(no_prefix_of_a_name_means_anything) {
  cctx *one = set(cctx_background(), CCTX_HOP, "UPSTREAM_a", "1");
  cctx *two = set(one, CCTX_HOP, "a", "2"), *three = without(two, "a");
  CHECK_STR(all_of(two), "hop:UPSTREAM_a=1 hop:a=2");
  CHECK_STR(all_of(three), "hop:UPSTREAM_a=1");
  cctx_unref(three);
  cctx_unref(two);
  cctx_unref(one);
}

/* ---- Refusals -------------------------------------------------------------------- */

/* Derive with `n` pairs, which must fail at pair `at`, and change nothing. */
static void check_refused(cctx *parent, const struct cctx_metadata_pair *pairs, size_t n,
                          int status, size_t at) {
  cctx *out = cctx_todo();
  size_t bad = 777, count = cctx_metadata_count(parent), alive = cctx_alive();
  CHECK_EQ(cctx_with_metadata(&out, parent, pairs, n, &bad), status);
  CHECK_EQ(bad, at);
  CHECK(out == cctx_todo());
  CHECK_EQ(cctx_with_metadata(&out, parent, pairs, n, NULL), status);
  CHECK(out == cctx_todo());
  CHECK_EQ(cctx_metadata_count(parent), count);
  CHECK_EQ(cctx_alive(), alive);
}

TEST(a_name_is_a_token) {
  static const char *const bad[] = {"",      " ",   "a b", "a=b", "a,b",         "a;b",
                                    "a:b",   "a/b", "a\"", "a\\", "caf\xc3\xa9", "a\n",
                                    "a\x7f", "(a)"};
  static const char *const good[] = {"a", "X-9", "!#$%&'*+-.^_`|~", "0"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct cctx_metadata_pair pairs[] = {{CCTX_HOP, "fine", "1", 1},
                                         {CCTX_HOP, bad[i], "2", 1}};
    check_refused(cctx_background(), pairs, 2, CCTX_EINVAL, 1);
  }
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct cctx_metadata_pair pair = {CCTX_HOP, bad[i], NULL, 0};
    check_refused(cctx_background(), &pair, 1, CCTX_EINVAL, 0);
  }
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    cctx *ctx = set(cctx_background(), CCTX_HOP, good[i], "1");
    CHECK_STR(cctx_metadata(ctx, good[i], NULL), "1");
    cctx_unref(ctx);
  }
}

TEST(a_name_has_at_most_its_length) {
  char name[CCTX_METADATA_NAME_MAX + 2];
  struct cctx_metadata_pair pair = {CCTX_HOP, name, "1", 1};
  memset(name, 'n', sizeof name);
  name[CCTX_METADATA_NAME_MAX + 1] = '\0';
  check_refused(cctx_background(), &pair, 1, CCTX_EINVAL, 0);
  name[CCTX_METADATA_NAME_MAX] = '\0';
  cctx *ctx = set(cctx_background(), CCTX_HOP, name, "1");
  CHECK_STR(cctx_metadata(ctx, name, NULL), "1");
  cctx_unref(ctx);
}

TEST(an_unknown_scope_is_refused) {
  struct cctx_metadata_pair pair = {(enum cctx_metadata_scope)3, "a", "1", 1};
  check_refused(cctx_background(), &pair, 1, CCTX_EINVAL, 0);
}

static char names[CCTX_METADATA_PAIRS_MAX + 1][8];
static struct cctx_metadata_pair full[CCTX_METADATA_PAIRS_MAX + 1];
static void name_pairs(void) {
  for (size_t i = 0; i <= CCTX_METADATA_PAIRS_MAX; i++) {
    snprintf(names[i], sizeof names[i], "n%zu", i);
    full[i] =
        (struct cctx_metadata_pair){(enum cctx_metadata_scope)(i % 3), names[i], "v", 1};
  }
}

/* S10: over a budget is an error, and nothing is lost. */
TEST(too_many_pairs_are_refused_and_lose_nothing) {
  cctx *ctx = NULL;
  name_pairs();
  check_refused(cctx_background(), full, CCTX_METADATA_PAIRS_MAX + 1, CCTX_ETOOBIG,
                CCTX_METADATA_PAIRS_MAX);
  CHECK_EQ(cctx_with_metadata(&ctx, cctx_background(), full, CCTX_METADATA_PAIRS_MAX, NULL),
           0);
  check_refused(ctx, &full[CCTX_METADATA_PAIRS_MAX], 1, CCTX_ETOOBIG, 0);
  for (size_t i = 0; i < CCTX_METADATA_PAIRS_MAX; i++)
    CHECK_STR(cctx_metadata(ctx, names[i], NULL), "v");
  /* A name that is there already takes no room. */
  cctx *again = set(ctx, CCTX_REQUEST, names[0], "w");
  CHECK_EQ(cctx_metadata_count(again), CCTX_METADATA_PAIRS_MAX);
  cctx_unref(again);
  cctx_unref(ctx);
}

/* S10: of bytes as of pairs; a name counts once, whatever its scope. */
TEST(too_many_bytes_are_refused_and_lose_nothing) {
  static char bytes[CCTX_METADATA_BYTES_MAX + 1];
  struct cctx_metadata_pair pair = {CCTX_HOP, "name", bytes, CCTX_METADATA_BYTES_MAX - 4};
  cctx *ctx = NULL;
  size_t len;
  memset(bytes, 'b', sizeof bytes);
  CHECK_EQ(cctx_with_metadata(&ctx, cctx_background(), &pair, 1, NULL), 0);
  CHECK_EQ(strlen(cctx_metadata(ctx, "name", &len)), CCTX_METADATA_BYTES_MAX - 4);
  struct cctx_metadata_pair more[] = {{CCTX_UPSTREAM, "name", "", 0},
                                      {CCTX_HOP, "n", bytes, CCTX_METADATA_BYTES_MAX - 5},
                                      {CCTX_HOP, "m", "", 0}};
  check_refused(ctx, &more[2], 1, CCTX_ETOOBIG, 0);
  check_refused(ctx, more, 3, CCTX_ETOOBIG, 2);
  CHECK_EQ(strlen(cctx_metadata(ctx, "name", NULL)), CCTX_METADATA_BYTES_MAX - 4);
  cctx *again = NULL; /* the old value gives its bytes back */
  CHECK_EQ(cctx_with_metadata(&again, ctx, more, 2, NULL), 0);
  CHECK_EQ(cctx_metadata_count(again), 2);
  cctx_unref(again);
  cctx_unref(ctx);
  pair.len++;
  check_refused(cctx_background(), &pair, 1, CCTX_ETOOBIG, 0);
  pair.len = SIZE_MAX;
  check_refused(cctx_background(), &pair, 1, CCTX_ETOOBIG, 0);
}

TEST(the_budget_holds_over_many_levels) {
  cctx *ctx = cctx_ref(cctx_background());
  name_pairs();
  for (size_t i = 0; i < CCTX_METADATA_PAIRS_MAX; i++) {
    cctx *child = NULL;
    CHECK_EQ(cctx_with_metadata(&child, ctx, &full[i], 1, NULL), 0);
    cctx_unref(ctx);
    ctx = child;
  }
  CHECK_EQ(cctx_metadata_count(ctx), CCTX_METADATA_PAIRS_MAX);
  check_refused(ctx, &full[CCTX_METADATA_PAIRS_MAX], 1, CCTX_ETOOBIG, 0);
  cctx_unref(ctx);
}

/* Room that was taken out is room; a value too long for any table is refused where it stands. */
TEST(the_budget_counts_what_is_left) {
  static char bytes[CCTX_METADATA_BYTES_MAX + 1];
  struct cctx_metadata_pair swap[] = {{CCTX_HOP, "one-more", "v", 1},
                                      {CCTX_HOP, "n7", NULL, SIZE_MAX},
                                      {CCTX_HOP, "n9", bytes, sizeof bytes},
                                      {CCTX_HOP, "n9", "v", 1}};
  cctx *ctx = NULL, *again = NULL;
  name_pairs();
  CHECK_EQ(cctx_with_metadata(&ctx, cctx_background(), full, CCTX_METADATA_PAIRS_MAX, NULL),
           0);
  CHECK_EQ(cctx_with_metadata(&again, ctx, swap, 2, NULL), 0);
  CHECK_EQ(cctx_metadata_count(again), CCTX_METADATA_PAIRS_MAX);
  CHECK(cctx_metadata(again, "n7", NULL) == NULL);
  check_refused(ctx, swap, 4, CCTX_ETOOBIG, 2);
  cctx_unref(again);
  cctx_unref(ctx);
}

/* However often names repeat, a call is bounded, and says where it went over. */
TEST(a_call_has_its_bounds) {
  static struct cctx_metadata_pair same[4 * CCTX_METADATA_PAIRS_MAX + 1];
  static char bytes[CCTX_METADATA_BYTES_MAX];
  cctx *ctx = NULL;
  for (size_t i = 0; i < sizeof same / sizeof *same; i++)
    same[i] = (struct cctx_metadata_pair){CCTX_HOP, "a", "v", 1};
  check_refused(cctx_background(), same, sizeof same / sizeof *same, CCTX_ETOOBIG,
                4 * CCTX_METADATA_PAIRS_MAX);
  CHECK_EQ(
      cctx_with_metadata(&ctx, cctx_background(), same, 4 * CCTX_METADATA_PAIRS_MAX, NULL),
      0);
  CHECK_EQ(cctx_metadata_count(ctx), 1);
  cctx_unref(ctx);
  memset(bytes, 'b', sizeof bytes);
  for (int i = 0; i < 5; i++)
    same[i] = (struct cctx_metadata_pair){CCTX_HOP, "a", bytes, sizeof bytes - 1};
  check_refused(cctx_background(), same, 5, CCTX_ETOOBIG, 4);
}
