/* SPDX-License-Identifier: Apache-2.0 */
/* Loops: where a host runs the callbacks it registered. */
#include <assert.h>
#include <string.h>

#include "loop.h"
#include "lock.h"
#include "memory.h"
#include "watch.h"

void cctx__loop_init(cctx_loop *loop) {
  memset(loop, 0, sizeof *loop);
  list_init(&loop->ready);
  list_init(&loop->batch);
  list_init(&loop->waiting);
  cctx__alarm_init(&loop->alarm);
  loop->epoch = cctx__fork_epoch();
}

cctx_loop *cctx_loop_new(void) {
  cctx_loop *loop = cctx__alloc(sizeof *loop);
  if (loop) cctx__loop_init(loop);
  return loop;
}

/* A run that was on in the parent is not on here; what it was about to call is found dead. */
static void notice_fork(cctx_loop *loop) {
  if (loop->epoch == cctx__fork_epoch()) return;
  loop->epoch = cctx__fork_epoch();
  loop->running = false;
  list_splice(&loop->ready, &loop->batch);
}

/* Take one observer out of `loop`; returns the context it kept, or NULL if there is none. */
static cctx *evict_one(cctx_loop *loop) {
  struct observer *observer;
  if (!list_is_empty(&loop->waiting)) {
    observer = LIST_ELEMENT(loop->waiting.next, struct observer, mine);
    cctx__observer_ready(observer);
    cctx__watch_unlink(cctx__watch_of(observer->ctx));
  }
  if (list_is_empty(&loop->ready)) return NULL;
  observer = LIST_ELEMENT(list_pop(&loop->ready), struct observer, link);
  return cctx__observer_retire(observer);
}

void cctx_loop_free(cctx_loop *loop) {
  cctx *ctx;
  if (loop == NULL) return;
  do {
    cctx__lock();
    notice_fork(loop);
    assert(!loop->running && "cctx_loop_free: the loop is running");
    ctx = evict_one(loop);
    cctx__unlock();
    cctx_unref(ctx);
  } while (ctx);
  cctx__lock();
  cctx__alarm_close(&loop->alarm);
  cctx__unlock();
  cctx__free(loop);
}

int64_t cctx__loop_next(const cctx_loop *loop) {
  const struct heap_node *first = loop->timers.first;
  if (!list_is_empty(&loop->ready)) return INT64_MIN;
  return first ? first->time : CCTX_NEVER;
}

int64_t cctx_loop_next(cctx_loop *loop) {
  int64_t next;
  cctx__lock();
  next = cctx__loop_next(loop);
  cctx__unlock();
  return next;
}

void cctx__loop_arm(cctx_loop *loop) {
  cctx__alarm_set(&loop->alarm, cctx__loop_next(loop));
}

int cctx_loop_fd(cctx_loop *loop) {
  int fd;
  cctx__lock();
  fd = cctx__alarm_fd(&loop->alarm);
  cctx__loop_arm(loop);
  cctx__unlock();
  return fd >= 0 ? fd : CCTX_ENOMEM;
}

static void expire(cctx_loop *loop, int64_t now) {
  struct heap_node *first;
  while ((first = loop->timers.first) != NULL && first->time <= now) {
    struct observer *observer = LIST_ELEMENT(first, struct observer, timer);
    cctx__observer_ready(observer);
    cctx__watch_unlink(cctx__watch_of(observer->ctx));
  }
}

size_t cctx__loop_run(cctx_loop *loop, int64_t now) {
  size_t count = 0;
  struct list *link;
  notice_fork(loop);
  assert(!loop->running && "cctx_loop_run: called from its own callback");
  loop->running = true;
  expire(loop, now);
  list_splice(&loop->batch, &loop->ready);
  while ((link = list_pop(&loop->batch)) != NULL) {
    cctx__observer_call(LIST_ELEMENT(link, struct observer, link));
    count++;
  }
  loop->running = false;
  cctx__loop_arm(loop);
  return count;
}

size_t cctx_loop_run(cctx_loop *loop, int64_t now) {
  int64_t clock = cctx_now(); /* a callback must find its context done */
  size_t count;
  cctx__lock();
  count = cctx__loop_run(loop, now < clock ? now : clock);
  cctx__unlock();
  return count;
}
