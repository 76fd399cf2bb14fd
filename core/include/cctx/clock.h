/* SPDX-License-Identifier: Apache-2.0 */
/* The clock: which time a deadline is measured on. */
#ifndef CCTX_CLOCK_H
#define CCTX_CLOCK_H

#include <cctx/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Times are int64_t nanoseconds of CLOCK_MONOTONIC, which no clock adjustment
 * moves. A `deadline` is absolute, a `timeout` is relative, and neither name is
 * ever used for the other. */

/** No limit: later than every time. */
#define CCTX_NEVER INT64_MAX

/** Nanoseconds in a millisecond and in a second. */
#define CCTX_MILLISECOND INT64_C(1000000)
#define CCTX_SECOND INT64_C(1000000000)

/** Now, in nanoseconds. Any thread; async-signal-safe. */
CCTX_API int64_t cctx_now(void);

/** The deadline that lies `timeout` after now. Saturates: a timeout that does not
 *  fit gives CCTX_NEVER, a negative one a deadline that has passed. */
CCTX_API int64_t cctx_deadline_after(int64_t timeout);

/** Given to cctx_clock_set: let time pass again. */
#define CCTX_CLOCK_REAL INT64_MIN

/** Stop the clock of this process at `now`, for tests: every cctx_now() answers it
 *  until the next call. CCTX_CLOCK_REAL lets time pass again. The caller keeps the
 *  clock from going backwards, and lets no context of the one time live in the other. */
CCTX_API void cctx_clock_set(int64_t now);

#ifdef __cplusplus
}
#endif
#endif
