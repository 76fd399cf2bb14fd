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
  bool closed;
  bool nudged;
  int fd; /* an eventfd, readable while there is something to take, or it is closed */
};

/* 0, or an errno. A queue lives as long as the process. */
int queue_open(struct queue *queue);

/* false if the queue is closed; then the request is still the caller's. */
bool queue_put(struct queue *queue, struct request *request);

/* The next request, for which it waits up to `timeout` ns; NULL if there is none. */
struct request *queue_take(struct queue *queue, int64_t timeout);

/* Let one who waits for a request return without one, now or at the next wait. */
void queue_nudge(struct queue *queue);

/* Take what is left, and nothing more. */
void queue_close(struct queue *queue);
bool queue_is_closed(struct queue *queue);

#endif
