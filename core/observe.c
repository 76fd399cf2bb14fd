/* SPDX-License-Identifier: Apache-2.0 */
/* Observing: registering to be told, and withdrawing. */
#include <assert.h>

#include "lock.h"
#include "loop.h"
#include "shared.h"
#include "stop.h"

static uint64_t registrations; /* guarded by the lock */

/* Of observers that only a canceler can call. It is never run. */
static cctx_loop none;

__attribute__((constructor)) static void begin(void) { cctx__loop_init(&none); }

/* The loop that will call: for an inline one, the one that tells of its deadline. NULL if the
 * shared thread is needed and cannot be started. What is done already needs none. */
static cctx_loop *loop_for(const cctx *ctx, cctx_loop *loop) {
  bool has_time = ctx->due != CCTX_NEVER || ctx->graced;
  if (loop == CCTX_INLINE && (!has_time || cctx_err(ctx) != CCTX_OK)) return &none;
  return loop == NULL || loop == CCTX_INLINE ? cctx__shared_loop() : loop;
}

static void wait_for(struct observer *observer) {
  struct watch *watch = cctx__watch_of(observer->ctx);
  struct list alone;
  list_init(&alone);
  observer->state = OBSERVER_WAITING;
  list_append(&observer->loop->waiting, &observer->mine);
  observer->timer.order = registrations++;
  list_append(&alone, &observer->link);
  cctx__observers_expect(&alone, cctx__expected(observer->ctx));
  list_remove(&observer->link);
  if (watch == NULL) return;
  list_append(&watch->observers, &observer->link);
  cctx__watch_link(watch);
}

/* An observer that has all it needs, so that nothing can fail any more; NULL for lack of
 * memory. */
static struct observer *new_observer(cctx *ctx, cctx_loop *loop) {
  cctx_loop *caller = loop_for(ctx, loop);
  struct observer *observer = caller ? cctx__observer_take() : NULL;
  if (observer == NULL) return NULL;
  observer->is_inline = loop == CCTX_INLINE;
  observer->loop = caller;
  observer->ctx = cctx_ref(ctx);
  return observer;
}

int cctx_on_done(cctx *ctx, cctx_loop *loop, cctx_done_fn *fn, void *arg,
                 cctx_observer *token) {
  struct observer *observer;
  struct list told;
  bool call = false;
  assert(cctx__is_live(ctx) && "cctx_on_done: no context, or one given back");
  assert(fn != NULL && "cctx_on_done: no callback");
  if (token) *token = (cctx_observer){NULL, 0};
  observer = new_observer(ctx, loop);
  if (observer == NULL) return CCTX_ENOMEM;
  observer->fn = fn;
  observer->arg = arg;
  list_init(&told);
  cctx__lock();
  if (token) *token = (cctx_observer){observer, observer->item.generation};
  if (cctx__verdict(ctx) == CCTX_OK) {
    wait_for(observer);
  } else {
    list_append(&told, &observer->link);
    call = cctx__observers_tell(&told);
  }
  cctx__wake(); /* the shared thread, to look at its loop */
  cctx__unlock();
  if (call) cctx__observers_call(&told);
  return CCTX_OK;
}

/* The observer of `token`, if it is still in use. */
static struct observer *find(const cctx_observer *token) {
  struct observer *observer = token->slot;
  if (observer == NULL || observer->item.generation != token->generation ||
      observer->epoch != cctx__fork_epoch()) /* the parent's: nobody here will call it */
    return NULL;
  return observer;
}

/* Under the lock. True with the context to give back if the callback was prevented. */
static bool prevent(struct observer *observer, cctx **ctx) {
  if (observer->state == OBSERVER_RUNNING) return false;
  if (observer->state == OBSERVER_WAITING) {
    cctx__observer_unlink(observer);
    cctx__watch_unlink(cctx__watch_of(observer->ctx));
  }
  list_remove(&observer->link);
  cctx__loop_arm(observer->loop);
  *ctx = cctx__observer_retire(observer);
  return true;
}

static int off_done(const cctx_observer *token, bool wait) {
  struct observer *observer;
  cctx *ctx = NULL;
  bool prevented = false;
  cctx__lock();
  observer = find(token);
  if (observer) prevented = prevent(observer, &ctx);
  while (wait && !prevented && (observer = find(token)) != NULL &&
         !pthread_equal(observer->runner, pthread_self()))
    cctx__wait(CCTX_NEVER);
  cctx__unlock();
  cctx_unref(ctx);
  return prevented;
}

int cctx_off_done(cctx_observer *token) { return off_done(token, false); }

int cctx_off_done_wait(cctx_observer *token) { return off_done(token, true); }
