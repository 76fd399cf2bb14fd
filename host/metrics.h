/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of the server, in the text format of Prometheus, version 0.0.4. */
#ifndef HOST_METRICS_H
#define HOST_METRICS_H

#include "buffer.h"
#include "server.h"

/* Count from here on, also what the server's policy refuses: false for lack of memory. */
bool metrics_open(struct server *server);

/* A request that is answered. Any thread; atomics only. */
void metrics_count(const struct request *request);

/* All of them, as they stand now. */
void metrics_write(struct buffer *buffer);

#endif
