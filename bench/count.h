/* SPDX-License-Identifier: Apache-2.0 */
/* What one operation takes of what does not depend on the machine's mood. */
#ifndef COUNT_H
#define COUNT_H

#include "bench.h"

/* Each is for one operation, over `n` of them after a warm-up, on the thread that calls;
 * below 0 where this system does not let it be counted. */

/* Allocations of the library. The operation is open. */
double count_allocations(const struct bench_op *op, long n);

/* Instructions in user mode. The operation is open. */
double count_instructions(const struct bench_op *op, long n);

/* System calls, in a child process, which opens the operation itself. */
double count_syscalls(const struct bench_op *op, long x, long n);

#endif
