/* SPDX-License-Identifier: Apache-2.0 */
/* The clock, for those who sleep by it. */
#ifndef CCTX__CLOCK_H
#define CCTX__CLOCK_H

#include <cctx/clock.h>

/* Until when to sleep if `deadline` is awaited: the deadline, or CCTX_NEVER while the
 * clock is stopped, for then only cctx_clock_set can bring it about. */
int64_t cctx__clock_sleep_until(int64_t deadline);

/* Have `changed` called after each cctx_clock_set, without the lock. From one constructor. */
void cctx__clock_on_set(void (*changed)(void));

#endif
