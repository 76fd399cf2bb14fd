/* SPDX-License-Identifier: Apache-2.0 */
/* Times the hot paths beside malloc and an atomic add in the same run: bench [--json]. */
#include <cctx.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 7, DEPTH_MAX = 32 };
#define ROUND_NS (20 * CCTX_MILLISECOND)

static cctx *chain[DEPTH_MAX + 1]; /* chain[n]: n values deep, the wanted one at the top */
static cctx *timed;                /* has a deadline far away */
static cctx_key *wanted, *other;
static volatile int64_t sink; /* what the compiler must not know to be unused */

/* Each runs its operation `n` times. */

static void time_malloc(long n) {
  while (n-- > 0) {
    void *volatile memory = malloc(96);
    free(memory);
  }
}

static void time_atomic(long n) {
  static _Atomic long count;
  while (n-- > 0) atomic_fetch_add(&count, 1);
}

static void time_ref(long n) {
  while (n-- > 0) cctx_unref(cctx_ref(timed));
}

static void time_with_value(long n) {
  while (n-- > 0) cctx_unref(cctx_with_value(timed, wanted, cctx_int(n)));
}

static void time_with_cancel(long n) {
  while (n-- > 0) cctx_finish(cctx_with_cancel(timed));
}

static void time_with_timeout(long n) {
  while (n-- > 0) cctx_finish(cctx_with_timeout(timed, CCTX_SECOND));
}

static void time_err(long n) {
  while (n-- > 0) sink += cctx_err(timed);
}

static void time_current(long n) {
  while (n-- > 0) sink += cctx_current() == timed;
}

static void time_attach(long n) {
  while (n-- > 0) {
    cctx_token token;
    if (cctx_attach(timed, &token) != 0) abort();
    cctx_detach(&token);
  }
}

static void read_at(int depth, long n) {
  cctx_variant value;
  while (n-- > 0) {
    if (cctx_value(chain[depth], wanted, &value) != 0) abort();
    sink += value.as.i;
  }
}
static void time_value_1(long n) { read_at(1, n); }
static void time_value_8(long n) { read_at(8, n); }
static void time_value_32(long n) { read_at(32, n); }

static const struct {
  const char *name;
  void (*run)(long n);
} cases[] = {
    {"malloc + free", time_malloc}, /* first: the others are told in its time */
    {"atomic add", time_atomic},
    {"ref + unref", time_ref},
    {"with_value + unref", time_with_value},
    {"with_cancel + finish", time_with_cancel},
    {"with_timeout + finish", time_with_timeout},
    {"err, with a deadline", time_err},
    {"value, 1 deep", time_value_1},
    {"value, 8 deep", time_value_8},
    {"value, 32 deep", time_value_32},
    {"current", time_current},
    {"attach + detach", time_attach},
};
enum { CASES = sizeof cases / sizeof *cases };

static int64_t time_round(void (*run)(long), long n) {
  int64_t start = cctx_now();
  run(n);
  return cctx_now() - start;
}

/* Nanoseconds of one operation: the best of some rounds, the least disturbed. */
static double measure(void (*run)(long)) {
  long n = 1000;
  double best = 1e9;
  int round;
  while (time_round(run, n) < ROUND_NS) n *= 2;
  for (round = 0; round < ROUNDS; round++) {
    double ns = (double)time_round(run, n) / (double)n;
    if (ns < best) best = ns;
  }
  return best;
}

static void make_contexts(void) {
  int depth;
  wanted = cctx_key_named("wanted");
  other = cctx_key_named("other");
  timed = cctx_with_timeout(cctx_background(), 3600 * CCTX_SECOND);
  if (wanted == NULL || other == NULL || timed == NULL) abort();
  chain[1] = cctx_with_value(timed, wanted, cctx_int(1));
  for (depth = 2; depth <= DEPTH_MAX; depth++)
    chain[depth] = cctx_with_value(chain[depth - 1], other, cctx_int(depth));
}

static void free_contexts(void) {
  int depth;
  for (depth = 1; depth <= DEPTH_MAX; depth++) cctx_unref(chain[depth]);
  cctx_finish(timed);
}

int main(int argc, char **argv) {
  bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
  double unit = 0;
  int i;
  make_contexts();
  if (!json) printf("C, libcctx %s%*s x malloc\n", cctx_version(), 13, "ns");
  for (i = 0; i < CASES; i++) {
    double ns = measure(cases[i].run);
    if (i == 0) unit = ns;
    if (json)
      printf("%s\"%s\": {\"ns\": %.2f, \"ratio\": %.3f}", i ? ",\n " : "{", cases[i].name,
             ns, ns / unit);
    else
      printf("  %-24s%9.1f%9.2f\n", cases[i].name, ns, ns / unit);
    fflush(stdout);
  }
  if (json) puts("}");
  free_contexts();
  return 0;
}
