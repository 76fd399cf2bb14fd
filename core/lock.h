/* SPDX-License-Identifier: Apache-2.0 */
/* The one lock of the library, with its one condition. */
#ifndef CCTX__LOCK_H
#define CCTX__LOCK_H

#include <stdint.h>

/* Guards what its users name. Not recursive; held for a few instructions, never while
 * foreign code runs, memory is taken, or another lock is wanted. */
void cctx__lock(void);
void cctx__unlock(void);

/* Wait, with the lock held, until somebody calls cctx__wake, or until the system's monotonic
 * clock reaches `until` (INT64_MAX: no limit). May also return for no reason. */
void cctx__wait(int64_t until);

/* Something changed: wake all who wait. Under the lock. */
void cctx__wake(void);

/* Run `reset` in the child of every fork, with the lock free. From constructors,
 * before there is a second thread; there is room for eight. */
void cctx__at_fork(void (*reset)(void));

#endif
