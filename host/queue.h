/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of requests between the I/O thread and the workers of one language. */
#ifndef HOST_QUEUE_H
#define HOST_QUEUE_H

#include "request.h"
#include "wait.h"

struct queue {
  pthread_mutex_t lock;
  struct condition ready;
  struct request *first, **last;
  unsigned n, max; /* how many are in it, and may be */
  bool closed;
  uint64_t nudges;
  int fd; /* an eventfd, readable while there is something to take, or it is closed */
};

/* For `max` requests: 0, or an errno. A queue lives as long as the process. */
int queue_open(struct queue *queue, unsigned max);

/* Into request->queue: false if that is full or closed; then the request is still the caller's. */
bool queue_put(struct request *request);

/* The next request, for which it waits up to `timeout` ns; NULL if there is none. It
 * returns without one when there was a nudge since `*seen`, which is brought up to date;
 * NULL: nudges are of no interest. */
struct request *queue_take(struct queue *queue, int64_t timeout, uint64_t *seen);

/* Take `request` out of the queue in which it waits: false if it waits in none, or a worker
 * has it. While the caller knows that it has not been freed. */
bool queue_withdraw(struct request *request);

/* Let all who wait for a request return, now or at their next wait. */
void queue_nudge(struct queue *queue);

/* Take what is left, and nothing more. */
void queue_close(struct queue *queue);
bool queue_is_closed(struct queue *queue);

#endif
