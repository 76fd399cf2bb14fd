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

/* A grace above `root` has begun: all that is linked below ends when that is over. Merged contexts
 * that end with one of these are added to `roots`. */
static void reschedule(struct watch *root, const struct culprit *culprit,
                       struct list *roots) {
  for (struct watch *at = root; at; at = cctx__watch_next(root, at)) {
    int64_t expected = cctx__expected(at->node);
    cctx__alarm_set(&at->alarm, expected);
    cctx__observers_expect(&at->observers, expected);
    for (struct list *link = at->joins.next; link != &at->joins; link = link->next) {
      cctx *node = LIST_ELEMENT(link, struct join, link)->node;
      if (!cctx__raise(node, expected, culprit)) continue;
      list_remove(&node->stop->watch.rescheduled); /* it may wait there already */
      list_append(roots, &node->stop->watch.rescheduled);
    }
  }
}

static void init(struct published *found) {
  list_init(&found->told);
  list_init(&found->joined);
  list_init(&found->delayed);
}

/* `node` has ended at `now` for `culprit`: so has what is linked below it, and what was merged
 * from any of that; and graces begin. */
static void publish(cctx *node, int64_t now, const struct culprit *culprit,
                    struct published *found) {
  struct list roots, *link;
  list_init(&roots);
  cctx__watch_publish(&node->stop->watch, found);
  while ((link = list_pop(&found->joined)) != NULL) {
    node = LIST_ELEMENT(link, struct join, link)->node;
    if (cctx__raise(node, now, culprit)) cctx__watch_publish(&node->stop->watch, found);
  }
  while ((link = list_pop(&found->delayed)) != NULL)
    list_append(&roots, &LIST_ELEMENT(link, struct watch, sibling)->rescheduled);
  while ((link = list_pop(&roots)) != NULL)
    reschedule(LIST_ELEMENT(link, struct watch, rescheduled), culprit, &roots);
}

int cctx_cancel_at(cctx *ctx, const char *message, const char *file, int line) {
  struct published found;
  struct culprit culprit;
  int64_t now;
  bool first, call = false;
  assert(cctx__is_live(ctx) && "cctx_cancel: no context, or one given back");
  if (ctx->stop == NULL || !ctx->stop->cancelable) return CCTX_EINVAL;
  cctx__culprit_set(&culprit, message, file, line);
  init(&found);
  cctx__lock();
  now = cctx_now(); /* one look: a deadline between two would make the verdict lie */
  first = cctx__verdict_at(ctx, now) == CCTX_OK;
  if (first) {
    cctx__raise(ctx, now, &culprit);
    publish(ctx, now, &culprit, &found);
    call = cctx__observers_tell(&found.told);
    cctx__wake();
  }
  cctx__unlock();
  if (call) cctx__observers_call(&found.told);
  return first;
}

void cctx_finish_at(cctx *ctx, const char *file, int line) {
  if (ctx == NULL) return;
  cctx_cancel_at(ctx, "finished", file, line);
  cctx_unref(ctx);
}
