/* SPDX-License-Identifier: Apache-2.0 */
/* A carrier over a small table of headers, for tests: it can be read and written. */
#ifndef BAG_H
#define BAG_H

#include <cctx.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BAG_MAX = 600, BAG_NAME = 1100, BAG_VALUE = 9000 };

struct bag {
  size_t n;
  char *names[BAG_MAX], *values[BAG_MAX];
  size_t lens[BAG_MAX];
  int fail; /* what `set` returns, if it is not 0 */
};

static size_t bag_find(const struct bag *bag, const char *name) {
  size_t i = 0;
  while (i < bag->n && strcmp(bag->names[i], name) != 0) i++;
  return i;
}

__attribute__((unused)) static const char *bag_get(const struct bag *bag,
                                                   const char *name) {
  size_t i = bag_find(bag, name);
  return i < bag->n ? bag->values[i] : NULL;
}

static void bag_add(struct bag *bag, const char *name, const char *value) {
  bag->names[bag->n] = strdup(name);
  bag->values[bag->n] = strdup(value);
  bag->lens[bag->n++] = strlen(value);
}

static void bag_remove(struct bag *bag, size_t i) {
  free(bag->names[i]);
  free(bag->values[i]);
  bag->n--;
  bag->names[i] = bag->names[bag->n];
  bag->values[i] = bag->values[bag->n];
  bag->lens[i] = bag->lens[bag->n];
}

static void bag_empty(struct bag *bag) {
  while (bag->n > 0) bag_remove(bag, 0);
}

/* A `set` that works on another bag than `at` reads, as the header asks. */
struct bags {
  struct bag before, after;
};

static bool bags_at(void *arg, size_t i, struct cctx_field *out) {
  const struct bag *bag = &((struct bags *)arg)->before;
  if (i >= bag->n) return false;
  *out = (struct cctx_field){bag->names[i], strlen(bag->names[i]), bag->values[i],
                             bag->lens[i]};
  return true;
}

static int bags_set(void *arg, const char *name, const char *value, size_t len) {
  struct bag *bag = &((struct bags *)arg)->after;
  size_t i = bag_find(bag, name);
  if (bag->fail) return bag->fail;
  if (i < bag->n) bag_remove(bag, i);
  if (value == NULL) return 0;
  if (strlen(value) != len) return CCTX_EINVAL;
  bag_add(bag, name, value);
  return 0;
}

/* What `ctx` puts into `bag`. */
__attribute__((unused)) static int bag_inject(const cctx *ctx, struct bag *bag,
                                              const struct cctx_policy *policy) {
  struct bags bags = {.before = {0}, .after = *bag};
  struct cctx_carrier carrier = {.at = bags_at, .set = bags_set, .arg = &bags};
  int rc;
  for (size_t i = 0; i < bag->n; i++) bag_add(&bags.before, bag->names[i], bag->values[i]);
  rc = cctx_inject(ctx, &carrier, policy);
  *bag = bags.after;
  bag_empty(&bags.before);
  return rc;
}

/* A child of background with what `bag` brings. */
__attribute__((unused)) static cctx *bag_extract(const struct bag *bag,
                                                 const struct cctx_policy *policy,
                                                 struct cctx_extracted *report) {
  struct bags bags = {.before = *bag};
  struct cctx_carrier carrier = {.at = bags_at, .arg = &bags};
  cctx *ctx = NULL;
  int rc = cctx_extract(&ctx, cctx_background(), &carrier, policy, report);
  if (rc != 0) printf("extract: %d\n", rc);
  return ctx;
}

/* A child of background with `n` pairs. */
__attribute__((unused)) static cctx *bag_context(const struct cctx_metadata_pair *pairs,
                                                 size_t n) {
  cctx *ctx = NULL;
  int rc = cctx_with_metadata(&ctx, cctx_background(), pairs, n, NULL);
  if (rc != 0) printf("metadata: %d\n", rc);
  return ctx;
}

#endif
