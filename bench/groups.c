/* SPDX-License-Identifier: Apache-2.0 */
/* What the program `bench` measures: a process without an interpreter. */
#include "bench.h"

const struct bench_op *const bench_groups[] = {bench_rulers,  bench_derive,  bench_ask,
                                               bench_observe, bench_current, bench_backup,
                                               bench_carrier, NULL};
