/* SPDX-License-Identifier: Apache-2.0 */
/* Watches: how a cancellation finds those who want to be told of it. */
#include "watch.h"

#include "lock.h"

void cctx__watch_init(struct watch *watch, cctx *node) {
  list_init(&watch->observers);
  list_init(&watch->kids);
  list_init(&watch->sibling);
  list_init(&watch->joins);
  list_init(&watch->rescheduled);
  watch->linked = watch->delayed = false;
  cctx__alarm_init(&watch->alarm);
  watch->node = node;
}

struct watch *cctx__watch_of(const cctx *ctx) {
  return ctx->stopper ? (struct watch *)(void *)ctx->stopper->stop : NULL;
}

static struct watch *above(const struct watch *watch) {
  return watch->node->parent ? cctx__watch_of(watch->node->parent) : NULL;
}

void cctx__watch_link(struct watch *watch) {
  struct watch *parent;
  while (!watch->linked && (parent = above(watch)) != NULL) {
    list_append(&parent->kids, &watch->sibling);
    watch->linked = true;
    watch = parent;
  }
}

static bool is_observed(const struct watch *watch) {
  return !list_is_empty(&watch->observers) || !list_is_empty(&watch->kids) ||
         !list_is_empty(&watch->joins) || cctx__alarm_is_made(&watch->alarm);
}

static void take_out(struct watch *watch) {
  list_remove(&watch->sibling);
  watch->linked = false;
}

void cctx__watch_unlink(struct watch *watch) {
  while (watch && watch->linked && !is_observed(watch)) {
    take_out(watch);
    watch = above(watch);
  }
}

void cctx__watch_drop(cctx *node) {
  struct watch *watch = cctx__watch_of(node);
  cctx__lock();
  cctx__alarm_close(&watch->alarm);
  cctx__watch_unlink(watch);
  cctx__unlock();
}

/* Nodes still to be published; empty but during a publish. Guarded by the lock. */
static struct list queue = {&queue, &queue};

void cctx__watch_publish(struct watch *watch, struct published *found) {
  struct watch *parent = above(watch);
  struct list *link;
  take_out(watch);
  if (parent) cctx__watch_unlink(parent);
  list_append(&queue, &watch->sibling);
  while ((link = list_pop(&queue)) != NULL) {
    struct watch *at = LIST_ELEMENT(link, struct watch, sibling);
    at->linked = false;
    if (at->delayed && at != watch) {
      list_append(&found->delayed, &at->sibling);
      continue;
    }
    cctx__alarm_set(&at->alarm, INT64_MIN);
    list_splice(&found->told, &at->observers);
    list_splice(&found->joined, &at->joins);
    list_splice(&queue, &at->kids);
  }
}

struct watch *cctx__watch_next(const struct watch *root, struct watch *at) {
  if (!list_is_empty(&at->kids)) return LIST_ELEMENT(at->kids.next, struct watch, sibling);
  while (at != root && at->sibling.next == &above(at)->kids) at = above(at);
  return at == root ? NULL : LIST_ELEMENT(at->sibling.next, struct watch, sibling);
}
