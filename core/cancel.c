/* SPDX-License-Identifier: Apache-2.0 */
/* Canceling: raising the flag, and telling who observes.
 *
 * Two passes. Under the lock the flag rises, by which the whole subtree is done, and what
 * is linked below is collected; then, without it, callbacks run. So none of them finds a part
 * of the subtree that is not done yet.
 */
#include <assert.h>

#include "lock.h"
#include "observer.h"
#include "stop.h"

static void raise_flag(struct stop *stop, int64_t now, const struct culprit *culprit) {
  stop->time = now;
  stop->culprit = *culprit;
  atomic_store_explicit(&stop->canceled, true, memory_order_release);
}

int cctx_cancel_at(cctx *ctx, const char *message, const char *file, int line) {
  struct culprit culprit;
  struct list told;
  int64_t now;
  bool first;
  assert(ctx != NULL && "cctx_cancel: no context");
  if (ctx->stop == NULL || !ctx->stop->cancelable) return CCTX_EINVAL;
  cctx__culprit_set(&culprit, message, file, line);
  list_init(&told);
  cctx__lock();
  now = cctx_now(); /* one look: a deadline between two would make the verdict lie */
  first = cctx__verdict_at(ctx, now) == CCTX_OK;
  if (first) {
    raise_flag(ctx->stop, now, &culprit);
    cctx__watch_publish(&ctx->stop->watch, &told);
    cctx__observers_tell(&told);
    cctx__wake();
  }
  cctx__unlock();
  cctx__observers_call(&told);
  return first;
}

void cctx_finish_at(cctx *ctx, const char *file, int line) {
  if (ctx == NULL) return;
  cctx_cancel_at(ctx, "finished", file, line);
  cctx_unref(ctx);
}
