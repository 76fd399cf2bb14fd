/* SPDX-License-Identifier: Apache-2.0 */
/* Deriving a context, and giving it back. */
#include <stdlib.h>

#include "bench.h"

#define LONG (3600 * CCTX_SECOND)

static cctx *parent, *valued;
static cctx **live; /* x contexts besides, which nobody asks */
static long live_count;
static cctx_key *key;
static struct cctx_entry *entries;
static struct cctx_metadata_pair *pairs;
static long count; /* of entries or pairs */

static void open_parent(long x) {
  (void)x;
  key = bench_must(cctx_key_named("bench"));
  parent = bench_must(cctx_with_timeout(cctx_background(), LONG));
}

static void close_parent(void) { cctx_finish(parent); }

/* x live siblings, which can be canceled. */
static void open_siblings(long x) {
  open_parent(x);
  live = bench_must(calloc((size_t)x + 1, sizeof *live));
  for (live_count = 0; live_count < x; live_count++)
    live[live_count] = bench_must(cctx_with_cancel(parent));
}

/* x live siblings, each with a deadline of its own. */
static void open_timers(long x) {
  open_parent(x);
  live = bench_must(calloc((size_t)x + 1, sizeof *live));
  for (live_count = 0; live_count < x; live_count++)
    live[live_count] = bench_must(cctx_with_timeout(parent, LONG - 1 - live_count));
}

static void close_live(void) {
  while (live_count > 0) cctx_finish(live[--live_count]);
  free(live);
  close_parent();
}

/* x private keys, each with a value. */
static void open_entries(long x) {
  cctx_key *keys = bench_must(calloc((size_t)x + 1, sizeof *keys));
  open_parent(x);
  entries = bench_must(calloc((size_t)x + 1, sizeof *entries));
  for (count = 0; count < x; count++)
    entries[count] = (struct cctx_entry){&keys[count], cctx_int(count)};
}

static void close_entries(void) {
  if (count > 0) free(entries[0].key);
  free(entries);
  close_parent();
}

/* x values in one context, which is what is derived from. */
static void open_valued(long x) {
  open_entries(x);
  valued = bench_must(cctx_with_values(parent, entries, (size_t)count));
}

static void close_valued(void) {
  cctx_unref(valued);
  close_entries();
}

/* x pairs with names of 8 bytes. */
static void open_pairs(long x) {
  static char names[CCTX_METADATA_PAIRS_MAX][9];
  if (x > CCTX_METADATA_PAIRS_MAX) x = CCTX_METADATA_PAIRS_MAX;
  open_parent(x);
  pairs = bench_must(calloc((size_t)x + 1, sizeof *pairs));
  for (count = 0; count < x; count++) {
    long rest = count;
    for (int i = 7; i >= 0; i--, rest /= 10)
      names[count][i] = (char)((i < 4 ? 'a' : '0') + rest % 10);
    pairs[count] = (struct cctx_metadata_pair){CCTX_REQUEST, names[count], "value", 5};
  }
}

static void close_pairs(void) {
  free(pairs);
  close_parent();
}

static void run_ref(long n) {
  while (n-- > 0) cctx_unref(cctx_ref(parent));
}

static void run_with_value(long n) {
  while (n-- > 0) cctx_unref(cctx_with_value(parent, key, cctx_int(n)));
}

static void run_with_values(long n) {
  while (n-- > 0) cctx_unref(cctx_with_values(parent, entries, (size_t)count));
}

static void run_with_metadata(long n) {
  while (n-- > 0) {
    cctx *ctx;
    if (cctx_with_metadata(&ctx, parent, pairs, (size_t)count, NULL) != 0) abort();
    cctx_unref(ctx);
  }
}

static void run_with_cancel(long n) {
  while (n-- > 0) cctx_finish(cctx_with_cancel(parent));
}

static void run_with_timeout(long n) {
  while (n-- > 0) cctx_finish(cctx_with_timeout(parent, CCTX_SECOND));
}

static void run_detached(long n) {
  while (n-- > 0) cctx_unref(cctx_detached(valued, 0));
}

const struct bench_op bench_derive[] = {
    {.name = "ref", .open = open_parent, .run = run_ref, .close = close_parent},
    {.name = "with_value",
     .open = open_parent,
     .run = run_with_value,
     .close = close_parent},
    {.name = "with_values",
     .open = open_entries,
     .run = run_with_values,
     .close = close_entries},
    {.name = "with_metadata",
     .open = open_pairs,
     .run = run_with_metadata,
     .close = close_pairs},
    {.name = "with_cancel",
     .open = open_siblings,
     .run = run_with_cancel,
     .close = close_live},
    {.name = "with_timeout",
     .open = open_timers,
     .run = run_with_timeout,
     .close = close_live},
    {.name = "detached", .open = open_valued, .run = run_detached, .close = close_valued},
    {.name = NULL},
};
