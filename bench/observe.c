/* SPDX-License-Identifier: Apache-2.0 */
/* Being told: registering, canceling what is observed, descriptors. */
#include <stdlib.h>

#include "bench.h"

#define LONG (3600 * CCTX_SECOND)
enum {
  CONTEXTS_MAX = 1024,  /* few enough to stay in the cache */
  DESCRIPTORS_MAX = 256 /* a process may have 1024 */
};

static cctx_loop *loop;
static cctx *parent, *observed;
static cctx **others;
static long wide; /* x */
static cctx *made[CONTEXTS_MAX];

static void tell(cctx *ctx, void *arg) {
  (void)ctx, (void)arg;
  bench_sink++;
}

static void observe(cctx *ctx, cctx_loop *by) {
  if (cctx_on_done(ctx, by, tell, NULL, NULL) != 0) abort();
}

/* x siblings that are observed, too. */
static void open_siblings(long x) {
  loop = bench_must(cctx_loop_new());
  parent = bench_must(cctx_with_cancel(cctx_background()));
  observed = bench_must(cctx_with_cancel(parent));
  others = bench_must(calloc((size_t)x + 1, sizeof *others));
  for (wide = 0; wide < x; wide++) {
    others[wide] = bench_must(cctx_with_cancel(parent));
    observe(others[wide], loop);
  }
}

/* x observed siblings with deadlines, thus timers, in a loop that a host polls. The observed
 * one has the latest, as the newest of many requests with the same timeout has. */
static void open_timers(long x) {
  loop = bench_must(cctx_loop_new());
  if (cctx_loop_fd(loop) < 0) abort();
  parent = bench_must(cctx_with_cancel(cctx_background()));
  observed = bench_must(cctx_with_timeout(parent, LONG + CCTX_SECOND));
  others = bench_must(calloc((size_t)x + 1, sizeof *others));
  for (wide = 0; wide < x; wide++) {
    others[wide] = bench_must(cctx_with_timeout(parent, LONG + wide));
    observe(others[wide], loop);
  }
}

static void close_siblings(void) {
  cctx_loop_free(loop);
  while (wide > 0) cctx_unref(others[--wide]);
  free(others);
  cctx_unref(observed);
  cctx_unref(parent);
}

static void run_on_done(long n) {
  while (n-- > 0) {
    cctx_observer observer;
    if (cctx_on_done(observed, loop, tell, NULL, &observer) != 0) abort();
    if (cctx_off_done(&observer) != 1) abort();
  }
}

static void open_width(long x) {
  wide = x;
  others = bench_must(calloc(CONTEXTS_MAX + (size_t)x, sizeof *others));
}

static void close_width(void) { free(others); }

/* n contexts with x children each, which are told by the thread that cancels. */
static void prepare_families(long n) {
  for (long i = 0; i < n; i++) {
    made[i] = bench_must(cctx_with_cancel(cctx_background()));
    for (long j = 0; j < wide; j++) {
      others[i * wide + j] = bench_must(cctx_with_cancel(made[i]));
      observe(others[i * wide + j], CCTX_INLINE);
    }
  }
}

static void run_cancel(long n) {
  for (long i = 0; i < n; i++) cctx_cancel(made[i], NULL);
}

static void restore_families(long n) {
  for (long i = 0; i < n * wide; i++) cctx_unref(others[i]);
  for (long i = 0; i < n; i++) cctx_unref(made[i]);
}

static void prepare_contexts(long n) {
  for (long i = 0; i < n; i++) made[i] = bench_must(cctx_with_cancel(cctx_background()));
}

static void restore_contexts(long n) {
  for (long i = 0; i < n; i++) cctx_unref(made[i]);
}

static void run_done_fd_first(long n) {
  for (long i = 0; i < n; i++)
    if (cctx_done_fd(made[i]) < 0) abort();
}

static void open_descriptor(long x) {
  (void)x;
  observed = bench_must(cctx_with_cancel(cctx_background()));
  if (cctx_done_fd(observed) < 0) abort();
}

static void close_descriptor(void) { cctx_unref(observed); }

static void run_done_fd(long n) {
  while (n-- > 0) bench_sink += cctx_done_fd(observed);
}

const struct bench_op bench_observe[] = {
    {.name = "on_done", .open = open_siblings, .run = run_on_done, .close = close_siblings},
    {.name = "on_done_timed",
     .open = open_timers,
     .run = run_on_done,
     .close = close_siblings},
    {.name = "cancel",
     .open = open_width,
     .prepare = prepare_families,
     .run = run_cancel,
     .restore = restore_families,
     .close = close_width,
     .room = CONTEXTS_MAX},
    {.name = "done_fd_first",
     .prepare = prepare_contexts,
     .run = run_done_fd_first,
     .restore = restore_contexts,
     .room = DESCRIPTORS_MAX},
    {.name = "done_fd",
     .open = open_descriptor,
     .run = run_done_fd,
     .close = close_descriptor},
    {.name = NULL},
};
