/* SPDX-License-Identifier: Apache-2.0 */
/* Requests whose worker is late: their clients are answered without it, and those that still
 * wait for one leave its queue.
 *
 * A handler that does not ask cannot be interrupted, in Python least of all. Its client need
 * not wait for it.
 */
#ifndef HOST_LATE_H
#define HOST_LATE_H

#include "request.h"

/* How long a worker has, after the deadline, to answer by itself. */
#define LATE_GRACE (100 * CCTX_MILLISECOND)

/* From now on the connection of `request`, which is suspended, may be resumed with request->late
 * set. Before it is in request->queue. */
void late_begin(struct request *request);

/* No more. Only then tells request->late whether the worker still answers. */
void late_end(struct request *request);

#endif
