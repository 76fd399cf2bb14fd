/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata against a model: random operations on a tree of contexts, each beside a plain list of
 * pairs. The seed is printed; SEED in the environment repeats a run.
 */
#include <cctx.h>

#include "check.h"

enum {
  CONTEXTS = 24,
  STEPS = 5000,
  BATCH_MAX = 6,
  BULK_MAX = 60,
  VALUE_MAX = 120,
  NAMES = 300,
  ROOM = 320
};

struct item {
  enum cctx_metadata_scope scope;
  char name[32];
  char value[VALUE_MAX];
  size_t len;
};

/* What a context must have, in order. */
struct list {
  struct item at[ROOM];
  size_t n;
};

static struct {
  cctx *ctx[CONTEXTS];
  struct list list[CONTEXTS];
} world;

static uint64_t state;
static int refused; /* calls that went over a budget */

static size_t random_below(size_t n) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (size_t)(state % n);
}

static size_t find(const struct list *list, const char *name) {
  size_t i = 0;
  while (i < list->n && strcmp(list->at[i].name, name) != 0) i++;
  return i;
}

static void apply(struct list *list, const struct cctx_metadata_pair *pair) {
  size_t i = find(list, pair->name);
  if (pair->value == NULL) {
    if (i == list->n) return;
    list->n--;
    memmove(&list->at[i], &list->at[i + 1], (list->n - i) * sizeof list->at[0]);
    return;
  }
  if (i == list->n) list->n++;
  list->at[i].scope = pair->scope;
  CHECK(strlen(pair->name) < sizeof list->at[i].name);
  memcpy(list->at[i].name, pair->name, strlen(pair->name) + 1);
  memcpy(list->at[i].value, pair->value, pair->len);
  list->at[i].len = pair->len;
}

static bool is_over(const struct list *list) {
  size_t bytes = 0;
  for (size_t i = 0; i < list->n; i++) bytes += strlen(list->at[i].name) + list->at[i].len;
  return list->n > CCTX_METADATA_PAIRS_MAX || bytes > CCTX_METADATA_BYTES_MAX;
}

/* Names of many lengths, of which many differ only somewhere in the middle. */
static void make_name(char out[32], size_t i) {
  static const char *const forms[] = {"n%zu", "%zu-name", "long-%zu-with-the-same-end",
                                      "x%zu"};
  snprintf(out, 32, forms[i % 4], i / 4);
}

static void make_pair(struct cctx_metadata_pair *pair, char name[32],
                      char value[VALUE_MAX]) {
  make_name(name, random_below(NAMES));
  pair->scope = (enum cctx_metadata_scope)random_below(3);
  pair->name = name;
  pair->len = random_below(VALUE_MAX);
  for (size_t i = 0; i < pair->len; i++) value[i] = (char)random_below(256);
  pair->value = random_below(16) ? value : NULL;
}

static void check_same(const cctx *ctx, const struct list *list) {
  struct cctx_metadata_pair pair;
  char name[32];
  size_t len, i;
  CHECK_EQ(cctx_metadata_count(ctx), list->n);
  for (i = 0; i < list->n; i++) {
    const struct item *item = &list->at[i];
    if (!CHECK_EQ(cctx_metadata_at(ctx, i, &pair), 0)) return;
    CHECK_STR(pair.name, item->name);
    CHECK_EQ(pair.scope, item->scope);
    CHECK(pair.len == item->len && memcmp(pair.value, item->value, pair.len) == 0);
    CHECK_EQ(pair.value[pair.len], 0);
  }
  CHECK_EQ(cctx_metadata_at(ctx, i, &pair), CCTX_ENOTFOUND);
  for (i = 0; i < 8; i++) {
    size_t at;
    make_name(name, random_below(NAMES));
    at = find(list, name);
    if (at == list->n) {
      CHECK(cctx_metadata(ctx, name, NULL) == NULL);
      CHECK_EQ(cctx_metadata_scope(ctx, name), CCTX_ENOTFOUND);
    } else {
      const char *value = cctx_metadata(ctx, name, &len);
      CHECK(value && len == list->at[at].len &&
            memcmp(value, list->at[at].value, len) == 0);
      CHECK_EQ(cctx_metadata_scope(ctx, name), list->at[at].scope);
    }
  }
}

/* Derive from one context into the place of another. */
static void derive(size_t from, size_t to) {
  static char names[ROOM][32], values[ROOM][VALUE_MAX];
  static struct cctx_metadata_pair pairs[ROOM];
  static struct list after;
  size_t n = random_below(8) ? random_below(BATCH_MAX) : random_below(BULK_MAX), bad = 777;
  size_t over = n;
  cctx *ctx = NULL;
  int status;
  after = world.list[from];
  for (size_t i = 0; i < n; i++) {
    make_pair(&pairs[i], names[i], values[i]);
    apply(&after, &pairs[i]);
    over = !is_over(&after) ? n : over < n ? over : i;
  }
  status = cctx_with_metadata(&ctx, world.ctx[from], pairs, n, &bad);
  CHECK_EQ(status, over < n ? CCTX_ETOOBIG : 0);
  if (status != 0) {
    refused++;
    CHECK_EQ(bad, over);
    CHECK(ctx == NULL);
    check_same(world.ctx[from], &world.list[from]);
    return;
  }
  cctx_unref(world.ctx[to]);
  world.ctx[to] = ctx;
  world.list[to] = after;
}

/* A child that adds nothing, or a copy that keeps nothing above it alive. */
static void pass_on(size_t from, size_t to) {
  cctx *ctx = random_below(2) ? cctx_with_cancel(world.ctx[from])
                              : cctx_detached(world.ctx[from], 0);
  cctx_unref(world.ctx[to]);
  world.ctx[to] = ctx;
  world.list[to] = world.list[from];
}

TEST(metadata_is_what_a_plain_list_says) {
  const char *seed = getenv("SEED");
  state = seed ? strtoull(seed, NULL, 10) : (uint64_t)cctx_now() | 1;
  refused = 0;
  printf("SEED=%llu\n", (unsigned long long)state);
  for (size_t i = 0; i < CONTEXTS; i++) {
    world.ctx[i] = cctx_background();
    world.list[i].n = 0;
  }
  for (int step = 0; step < STEPS && check_failures == 0; step++) {
    size_t from = random_below(CONTEXTS), to = random_below(CONTEXTS);
    if (random_below(8))
      derive(from, to);
    else
      pass_on(from, to);
    check_same(world.ctx[to], &world.list[to]);
    check_same(world.ctx[from], &world.list[from]);
  }
  CHECK(refused > 0);
  for (size_t i = 0; i < CONTEXTS; i++) cctx_unref(world.ctx[i]);
}
