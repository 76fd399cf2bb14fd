/* SPDX-License-Identifier: Apache-2.0 */
/* The one lock of the library. */
#ifndef CCTX__LOCK_H
#define CCTX__LOCK_H

/* Guards what its users name. Not recursive; held for a few instructions, never while
 * foreign code runs, memory is taken, or another lock is wanted. */
void cctx__lock(void);
void cctx__unlock(void);

/* Run `reset` in the child of every fork, with the lock free. Call it once, from a
 * constructor; there is room for four. */
void cctx__at_fork(void (*reset)(void));

#endif
