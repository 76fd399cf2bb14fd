/* SPDX-License-Identifier: Apache-2.0 */
/* Arrivals: how long a connection may take until a request of it has arrived whole.
 *
 * libmicrohttpd's timeout starts anew with each byte, so a client that sends one now and then
 * would keep its connection for ever.
 */
#ifndef HOST_ARRIVAL_H
#define HOST_ARRIVAL_H

#include "due.h"

struct arrival; /* of a connection */

/* For a connection by `fd`, which waits for its first request; NULL for lack of memory. When
 * `timeout` ns have passed the socket is shut down, which ends the connection. */
struct arrival *arrival_new(int fd, int64_t timeout);

/* Before `fd` is closed. NULL is ignored, here and below. */
void arrival_free(struct arrival *arrival);

/* A request is here: there is no hurry until it is answered. */
void arrival_end(struct arrival *arrival);

/* It is answered, and the next one may come. */
void arrival_begin(struct arrival *arrival);

/* How many took too long. */
uint64_t arrival_missed(void);

#endif
