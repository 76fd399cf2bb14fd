/* SPDX-License-Identifier: Apache-2.0 */
/* Measures the operations that are named, one line of JSON each:
 *
 *     bench [--count] OP:X...     bench --list
 *
 * With --count each runs a few times, once inside bench_run, and only how often is printed:
 * for a profiler that counts what happens in there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "count.h"

enum { ROUNDS = 5, COUNTED = 64 };
#define ROUND_NS (8 * CCTX_MILLISECOND)       /* of operations, */
#define ROUND_WALL_NS (40 * CCTX_MILLISECOND) /* unless setting up takes most of it */

volatile int64_t bench_sink;

void *bench_must(void *pointer) {
  if (pointer == NULL) {
    fprintf(stderr, "bench: out of memory\n");
    exit(1);
  }
  return pointer;
}

long bench_limit(const struct bench_op *op, long x, long wanted) {
  long limit = op->room / (x > 1 ? x : 1);
  if (op->room == 0 || limit > wanted) return wanted;
  return limit > 1 ? limit : 1;
}

__attribute__((noinline)) void bench_run(const struct bench_op *op, long n) {
  op->run(n);
  bench_sink++; /* so that the call is not a jump out of here */
}

static int64_t time_batch(const struct bench_op *op, long n) {
  int64_t start, end;
  if (op->prepare) op->prepare(n);
  start = cctx_now();
  bench_run(op, n);
  end = cctx_now();
  if (op->restore) op->restore(n);
  return end - start;
}

/* Nanoseconds of one operation, over batches of `n` that fill a round. */
static double time_round(const struct bench_op *op, long n) {
  int64_t total = 0, until = cctx_now() + ROUND_WALL_NS;
  long done = 0;
  do {
    total += time_batch(op, n);
    done += n;
  } while (total < ROUND_NS && cctx_now() < until);
  return (double)total / (double)done;
}

/* The best of some rounds: the one that other programs disturbed least. */
static double time_op(const struct bench_op *op, long x) {
  double best = 1e18;
  long n = bench_limit(op, x, 16), more;
  while (time_batch(op, n) < ROUND_NS && (more = bench_limit(op, x, n * 2)) > n) n = more;
  for (int round = 0; round < ROUNDS; round++) {
    double ns = time_round(op, n);
    if (ns < best) best = ns;
  }
  return best;
}

static void print_count(const char *name, double count) {
  if (count < 0)
    printf(", \"%s\": null", name);
  else
    printf(", \"%s\": %.4g", name, count);
}

static void measure(const struct bench_op *op, long x) {
  long n = bench_limit(op, x, COUNTED);
  double syscalls = count_syscalls(op, x, n);
  if (op->open) op->open(x);
  printf("{\"op\": \"%s\", \"x\": %ld, \"ns\": %.3f", op->name, x, time_op(op, x));
  print_count("allocations", count_allocations(op, n));
  print_count("syscalls", syscalls);
  print_count("instructions", count_instructions(op, n));
  puts("}");
  if (op->close) op->close();
}

static void count_once(const struct bench_op *op, long x) {
  long n = bench_limit(op, x, COUNTED);
  if (op->open) op->open(x);
  for (int round = 0; round < 2; round++) { /* the first finds caches and pools empty */
    if (op->prepare) op->prepare(n);
    if (round > 0)
      bench_run(op, n);
    else
      op->run(n);
    if (op->restore) op->restore(n);
  }
  if (op->close) op->close();
  printf("{\"op\": \"%s\", \"x\": %ld, \"n\": %ld}\n", op->name, x, n);
}

static const struct bench_op *find(const char *name, size_t len) {
  for (int i = 0; bench_groups[i]; i++)
    for (const struct bench_op *op = bench_groups[i]; op->name; op++)
      if (strlen(op->name) == len && memcmp(op->name, name, len) == 0) return op;
  return NULL;
}

static void list(void) {
  for (int i = 0; bench_groups[i]; i++)
    for (const struct bench_op *op = bench_groups[i]; op->name; op++) puts(op->name);
}

int main(int argc, char **argv) {
  bool counting = argc > 1 && strcmp(argv[1], "--count") == 0;
  if (argc == 2 && strcmp(argv[1], "--list") == 0) {
    list();
    return 0;
  }
  for (int i = counting ? 2 : 1; i < argc; i++) {
    size_t len = strcspn(argv[i], ":");
    const struct bench_op *op = find(argv[i], len);
    long x = argv[i][len] ? strtol(argv[i] + len + 1, NULL, 10) : 0;
    if (op == NULL) {
      fprintf(stderr, "bench: no operation '%s'; --list names them\n", argv[i]);
      return 2;
    }
    if (counting)
      count_once(op, x);
    else
      measure(op, x);
    fflush(stdout);
  }
  return 0;
}
