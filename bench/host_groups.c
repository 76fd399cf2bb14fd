/* SPDX-License-Identifier: Apache-2.0 */
/* What the program `bench_hosts` measures: hosts with an interpreter inside. */
#include "bench.h"

const struct bench_op *const bench_groups[] = {bench_python, bench_lua, NULL};
