/* SPDX-License-Identifier: Apache-2.0 */
/* Loops, for the thread that the library runs by itself. */
#ifndef CCTX__LOOP_H
#define CCTX__LOOP_H

#include "observer.h"

/* All but init under the lock. */
void cctx__loop_init(cctx_loop *loop);
int64_t cctx__loop_next(const cctx_loop *loop);
size_t cctx__loop_run(cctx_loop *loop, int64_t now); /* lets the lock go while it calls */

/* Have the loop's descriptor ring at the right time. */
void cctx__loop_arm(cctx_loop *loop);

#endif
