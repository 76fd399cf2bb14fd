/* SPDX-License-Identifier: Apache-2.0 */
/* An operation that is measured: how to set it up, run it and clear it away. */
#ifndef BENCH_H
#define BENCH_H

#include <cctx.h>

/* `x` is how much of something there is while the operation runs: levels, values, siblings;
 * each operation says of what. A NULL step is left out. Steps that cannot go on abort. */
struct bench_op {
  const char *name;
  void (*open)(long x);    /* make what all runs share */
  void (*prepare)(long n); /* make what `n` operations use up */
  void (*run)(long n);     /* the `n` operations: the only step that is measured */
  void (*restore)(long n); /* give back what prepare made, or run left */
  void (*close)(void);     /* give back what open made */
  long room;               /* n * max(x, 1) is at most this; 0: no bound */
};

/* Each ends with an operation without a name. */
extern const struct bench_op bench_rulers[], bench_derive[], bench_ask[], bench_observe[],
    bench_current[], bench_backup[], bench_carrier[];

/* Those of hosts, each beside its rival: NAME and rival_NAME. Each group starts its interpreter
 * when it is first opened, and never ends it. Python stays attached, which the
 * operations on Lua would pay for: measure them in a process of their own. */
extern const struct bench_op bench_python[], bench_lua[];

/* The groups that this program measures; ends with NULL. */
extern const struct bench_op *const bench_groups[];

/* What is written here counts as used: the compiler keeps what computed it. */
extern volatile int64_t bench_sink;

/* `pointer`, which must not be NULL: the benchmark ends without memory. */
void *bench_must(void *pointer);

/* How many operations one run may have, `wanted` at most. */
long bench_limit(const struct bench_op *op, long x, long wanted);

/* Run the operations, in a function that a profiler finds by name. */
void bench_run(const struct bench_op *op, long n);

#endif
