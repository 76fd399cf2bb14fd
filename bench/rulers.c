/* SPDX-License-Identifier: Apache-2.0 */
/* What the others are told in: what any C program pays for. */
#include <stdatomic.h>
#include <stdlib.h>

#include "bench.h"

static void run_malloc(long n) {
  while (n-- > 0) {
    void *volatile memory = malloc(96);
    free(memory);
  }
}

static void run_atomic(long n) {
  static _Atomic long count;
  while (n-- > 0) atomic_fetch_add(&count, 1);
}

static void run_now(long n) {
  while (n-- > 0) bench_sink += cctx_now();
}

static _Thread_local int64_t local = 1;

static __attribute__((noinline)) int64_t read_local(void) {
  __asm__ volatile(""); /* not hoisted out of the loop */
  return local;
}

static void run_tls(long n) {
  while (n-- > 0) bench_sink += read_local();
}

const struct bench_op bench_rulers[] = {
    {.name = "malloc", .run = run_malloc},
    {.name = "atomic", .run = run_atomic},
    {.name = "now", .run = run_now},
    {.name = "tls", .run = run_tls},
    {.name = NULL},
};
