/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a context: must I stop, what is the value, what is the metadata; with one pair
 * more, or one less. */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

static cctx *asked;
static cctx_key *wanted, *other;
static cctx_key *keys; /* of the entries of one context */
static char last[9];   /* the name of the last pair */

/* Go down `x` levels that can be canceled from `asked`. */
static void descend(long x) {
  while (x-- > 0) {
    cctx *child = bench_must(cctx_with_cancel(asked));
    cctx_unref(asked);
    asked = child;
  }
}

static void open_cancelable(long x) {
  asked = cctx_ref(cctx_background());
  descend(x);
}

/* The first of the x levels has a deadline far away. */
static void open_timed(long x) {
  asked = bench_must(cctx_with_timeout(cctx_background(), 3600 * CCTX_SECOND));
  descend(x - 1);
}

/* The first of the x levels is canceled. */
static void open_canceled(long x) {
  asked = bench_must(cctx_with_cancel(cctx_background()));
  cctx_cancel(asked, NULL);
  descend(x - 1);
}

static void close_asked(void) { cctx_unref(asked); }

/* x values, the wanted one first, one a level. */
static void open_chain(long x) {
  wanted = bench_must(cctx_key_named("wanted"));
  other = bench_must(cctx_key_named("other"));
  asked = bench_must(cctx_with_timeout(cctx_background(), 3600 * CCTX_SECOND));
  for (long i = 0; i < x; i++) {
    cctx_key *key = i == 0 ? wanted : other;
    cctx *child = bench_must(cctx_with_value(asked, key, cctx_int(i)));
    cctx_unref(asked);
    asked = child;
  }
}

/* x values that are not wanted. */
static void open_missing(long x) {
  open_chain(x);
  wanted = bench_must(cctx_key_named("missing"));
}

/* x values in one context. */
static void open_wide(long x) {
  struct cctx_entry *entries = bench_must(calloc((size_t)x + 1, sizeof *entries));
  keys = bench_must(calloc((size_t)x + 1, sizeof *keys));
  for (long i = 0; i < x; i++) entries[i] = (struct cctx_entry){&keys[i], cctx_int(i)};
  asked = bench_must(cctx_with_values(cctx_background(), entries, (size_t)x));
  free(entries);
}

static void open_wide_first(long x) {
  open_wide(x);
  wanted = &keys[0];
}

static void open_wide_last(long x) {
  open_wide(x);
  wanted = &keys[x > 0 ? x - 1 : 0];
}

static void close_wide(void) {
  cctx_unref(asked);
  free(keys);
}

/* x pairs. */
static void open_metadata(long x) {
  asked = cctx_ref(cctx_background());
  for (long i = 0; i < x; i++) {
    struct cctx_metadata_pair pair = {CCTX_REQUEST, last, "value", 5};
    cctx *child;
    snprintf(last, sizeof last, "name%04ld", i % 10000);
    if (cctx_with_metadata(&child, asked, &pair, 1, NULL) != 0) abort();
    cctx_unref(asked);
    asked = child;
  }
}

static void run_err(long n) {
  while (n-- > 0) bench_sink += cctx_err(asked);
}

static void run_remaining(long n) {
  while (n-- > 0) bench_sink += cctx_remaining(asked);
}

static void run_value(long n) {
  cctx_variant value;
  while (n-- > 0) {
    if (cctx_value(asked, wanted, &value) != 0) abort();
    bench_sink += value.as.i;
  }
}

static void run_missing(long n) {
  cctx_variant value;
  while (n-- > 0) bench_sink += cctx_value(asked, wanted, &value);
}

static void run_metadata(long n) {
  while (n-- > 0) {
    size_t len;
    if (cctx_metadata(asked, last, &len) == NULL) abort();
    bench_sink += (int64_t)len;
  }
}

/* Derive from `asked`, and give that back. */
static void derive(const struct cctx_metadata_pair *pair) {
  cctx *ctx;
  if (cctx_with_metadata(&ctx, asked, pair, 1, NULL) != 0) abort();
  cctx_unref(ctx);
}

static void run_metadata_set(long n) {
  const struct cctx_metadata_pair pair = {CCTX_REQUEST, "another", "value", 5};
  while (n-- > 0) derive(&pair);
}

static void run_metadata_delete(long n) {
  const struct cctx_metadata_pair pair = {CCTX_REQUEST, last, NULL, 0};
  while (n-- > 0) derive(&pair);
}

const struct bench_op bench_ask[] = {
    {.name = "err", .open = open_cancelable, .run = run_err, .close = close_asked},
    {.name = "err_timed", .open = open_timed, .run = run_err, .close = close_asked},
    {.name = "err_canceled", .open = open_canceled, .run = run_err, .close = close_asked},
    {.name = "remaining", .open = open_timed, .run = run_remaining, .close = close_asked},
    {.name = "value", .open = open_chain, .run = run_value, .close = close_asked},
    {.name = "value_miss", .open = open_missing, .run = run_missing, .close = close_asked},
    {.name = "wide_first", .open = open_wide_first, .run = run_value, .close = close_wide},
    {.name = "wide_last", .open = open_wide_last, .run = run_value, .close = close_wide},
    {.name = "metadata", .open = open_metadata, .run = run_metadata, .close = close_asked},
    {.name = "metadata_set",
     .open = open_metadata,
     .run = run_metadata_set,
     .close = close_asked},
    {.name = "metadata_delete",
     .open = open_metadata,
     .run = run_metadata_delete,
     .close = close_asked},
    {.name = NULL},
};
