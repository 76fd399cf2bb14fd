/* SPDX-License-Identifier: Apache-2.0 */
/* Observers: from a context that is done to the thread that says so. */
#include "observer.h"

#include "current.h"
#include "lock.h"

static struct pool pool = {.size = sizeof(struct observer)};

struct observer *cctx__observer_take(void) {
  struct observer *observer = (struct observer *)(void *)cctx__pool_take(&pool);
  if (observer == NULL) return NULL;
  observer->reserved = cctx__scope_new(cctx__own.stack, SCOPE_STACK, &observer->token);
  if (observer->reserved == NULL) {
    cctx__lock();
    cctx__pool_give(&pool, &observer->item);
    cctx__unlock();
    return NULL;
  }
  list_init(&observer->link);
  list_init(&observer->mine);
  observer->timer.in_heap = false;
  observer->epoch = cctx__fork_epoch();
  return observer;
}

/* The loop rings when it has something to do now, else at its nearest deadline. */
static void ring(cctx_loop *loop) { cctx__alarm_set(&loop->alarm, INT64_MIN); }

void cctx__observer_unlink(struct observer *observer) {
  list_remove(&observer->link);
  list_remove(&observer->mine);
  cctx__heap_remove(&observer->loop->timers, &observer->timer);
}

void cctx__observer_ready(struct observer *observer) {
  cctx__observer_unlink(observer);
  observer->state = OBSERVER_READY;
  list_append(&observer->loop->ready, &observer->link);
  ring(observer->loop);
}

void cctx__observers_expect(struct list *observers, int64_t time) {
  for (struct list *at = observers->next; at != observers; at = at->next) {
    struct observer *observer = LIST_ELEMENT(at, struct observer, link);
    cctx__heap_remove(&observer->loop->timers, &observer->timer);
    observer->timer.time = time;
    if (time == CCTX_NEVER) continue;
    cctx__heap_add(&observer->loop->timers, &observer->timer);
    if (observer->loop->timers.first == &observer->timer &&
        list_is_empty(&observer->loop->ready))
      cctx__alarm_set(&observer->loop->alarm, time);
  }
}

bool cctx__observers_tell(struct list *told) {
  struct list here, *link;
  list_init(&here);
  while ((link = list_pop(told)) != NULL) {
    struct observer *observer = LIST_ELEMENT(link, struct observer, link);
    cctx__observer_ready(observer);
    if (!observer->is_inline) continue;
    list_remove(&observer->link);
    list_append(&here, &observer->link);
  }
  list_splice(told, &here);
  return !list_is_empty(told);
}

cctx *cctx__observer_retire(struct observer *observer) {
  cctx *ctx = observer->ctx;
  if (observer->reserved) cctx__scope_discard(observer->reserved);
  observer->item.generation++;
  observer->state = OBSERVER_FREE;
  observer->ctx = NULL;
  cctx__pool_give(&pool, &observer->item);
  return ctx;
}

/* Foreign code begins with nothing current: the canceler's context is not the callback's. A
 * thread for which there is no memory to note that has no scope of its own either. */
static void call_under_background(struct observer *observer) {
  bool entered = cctx__enter_background(observer->reserved);
  if (entered) observer->reserved = NULL; /* it goes with its detach */
  observer->fn(observer->ctx, observer->arg);
  if (entered) cctx_detach(&observer->token);
}

void cctx__observer_call(struct observer *observer) {
  bool is_dead = observer->epoch != cctx__fork_epoch();
  observer->state = OBSERVER_RUNNING;
  observer->runner = pthread_self();
  cctx__unlock();
  if (!is_dead) call_under_background(observer);
  cctx_unref(observer->ctx); /* before the end: who waits for that may count contexts */
  cctx__lock();
  cctx__observer_retire(observer);
  cctx__wake(); /* who waits in off_done_wait */
}

void cctx__observers_call(struct list *told) {
  struct list *link;
  cctx__lock();
  while ((link = list_pop(told)) != NULL)
    cctx__observer_call(LIST_ELEMENT(link, struct observer, link));
  cctx__unlock();
}
