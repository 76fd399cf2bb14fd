/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that does something again and again, until it is stopped. */
#ifndef CCTX__SWEEPER_H
#define CCTX__SWEEPER_H

#include <stdint.h>

struct sweeper;

/* Call `sweep`(arg) each `interval` ns of the system's clock, on a thread with all signals
 * blocked; NULL if there is no memory for it, or no thread. In the child of a fork it is not
 * there. */
struct sweeper *cctx__sweeper_start(int64_t interval, void (*sweep)(void *arg), void *arg);

/* Stop it, wait until its thread is not there any more, and free it. From inside `sweep` it does
 * not wait: the thread ends when that returns. NULL is allowed. */
void cctx__sweeper_stop(struct sweeper *sweeper);

#endif
