/* SPDX-License-Identifier: Apache-2.0 */
/* The library's own thread. */
#ifndef CCTX__SHARED_H
#define CCTX__SHARED_H

#include "observer.h"

/* Its loop, with the thread running: NULL if it cannot be started. Takes the lock. */
cctx_loop *cctx__shared_loop(void);

#endif
