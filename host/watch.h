/* SPDX-License-Identifier: Apache-2.0 */
/* The watch: cancels the context of a request whose client has left, and finishes one that
 * still waits for a worker. */
#ifndef HOST_WATCH_H
#define HOST_WATCH_H

#include "request.h"

/* The status of such a request in the log. */
enum { WATCH_STATUS = 499 };

/* Its thread. 0, or an errno. After watch_stop nothing may be watched any more. */
int watch_start(void);
void watch_stop(void);

/* Watch `fd`, the connection of `request`, which is begun, until watch_end. Before it is in
 * request->queue. One that cannot be watched, for lack of memory, is served all the same. */
void watch_begin(struct request *request, int fd);

/* From its return on the watch neither follows nor cancels `request`, and request->is_gone
 * stays as it is. To no effect if it is not watched. */
void watch_end(struct request *request);

#endif
