/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of requests between the I/O thread and the workers of one language.
 *
 * The eventfd counts as a semaphore does: one for each request in the queue, and one
 * more when it is closed, which nobody takes.
 */
#define _GNU_SOURCE 1
#include "queue.h"

#include <errno.h>
#include <sys/eventfd.h>

int queue_open(struct queue *queue, unsigned max) {
  *queue = (struct queue){
      .lock = PTHREAD_MUTEX_INITIALIZER, .ready = CONDITION_INIT, .max = max};
  queue->last = &queue->first;
  queue->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
  return queue->fd < 0 ? errno : 0;
}

/* The first of them, or one from the middle. */
static void take_out(struct queue *queue, struct request *request) {
  eventfd_t one;
  queue->n--;
  *request->link = request->next;
  if (request->next)
    request->next->link = request->link;
  else
    queue->last = request->link;
  request->link = NULL;
  eventfd_read(queue->fd, &one);
}

bool queue_put(struct request *request) {
  struct queue *queue = request->queue;
  pthread_mutex_lock(&queue->lock);
  bool open = !queue->closed && queue->n < queue->max;
  if (open) {
    queue->n++;
    request->next = NULL;
    request->link = queue->last;
    *queue->last = request;
    queue->last = &request->next;
    eventfd_write(queue->fd, 1);
    condition_signal(&queue->ready);
  }
  pthread_mutex_unlock(&queue->lock);
  return open;
}

static bool is_idle(const struct queue *queue, const uint64_t *seen) {
  return !queue->first && !queue->closed && (!seen || *seen == queue->nudges);
}

struct request *queue_take(struct queue *queue, int64_t timeout, uint64_t *seen) {
  int64_t deadline = timeout > 0 ? cctx_deadline_after(timeout) : 0;
  pthread_mutex_lock(&queue->lock);
  while (timeout > 0 && is_idle(queue, seen))
    if (!condition_wait(&queue->ready, &queue->lock, deadline)) break;
  struct request *request = queue->first;
  if (seen) *seen = queue->nudges;
  if (request) take_out(queue, request);
  pthread_mutex_unlock(&queue->lock);
  return request;
}

bool queue_withdraw(struct request *request) {
  struct queue *queue = request->queue;
  pthread_mutex_lock(&queue->lock);
  bool waits = request->link != NULL;
  if (waits) take_out(queue, request);
  pthread_mutex_unlock(&queue->lock);
  return waits;
}

void queue_nudge(struct queue *queue) {
  pthread_mutex_lock(&queue->lock);
  queue->nudges++;
  condition_signal(&queue->ready);
  pthread_mutex_unlock(&queue->lock);
}

void queue_close(struct queue *queue) {
  pthread_mutex_lock(&queue->lock);
  queue->closed = true;
  eventfd_write(queue->fd, 1);
  condition_signal(&queue->ready);
  pthread_mutex_unlock(&queue->lock);
}

bool queue_is_closed(struct queue *queue) {
  pthread_mutex_lock(&queue->lock);
  bool closed = queue->closed && !queue->first;
  pthread_mutex_unlock(&queue->lock);
  return closed;
}
