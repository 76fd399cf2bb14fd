/* SPDX-License-Identifier: Apache-2.0 */
/* Merging: a context that ends with any of several.
 *
 * It is a child of the first, and pulls that one's verdict like every child. The others' deadlines
 * are immutable, and go into its own. Their cancellations are pushed: it hangs on each of them
 * by a join, always, and a publish that finds the join raises its flag.
 */
#include <assert.h>

#include <cctx/interpreter.h>

#include "lock.h"
#include "stop.h"

struct merged {
  struct stop stop;
  struct join joins[]; /* as many as the node keeps others; then the others */
};

static void drop_merged(cctx *ctx) {
  struct merged *merged = (struct merged *)(void *)ctx->stop;
  cctx__lock();
  for (size_t i = 0; i < ctx->kept_n; i++) {
    list_remove(&merged->joins[i].link);
    cctx__watch_unlink(cctx__watch_of(ctx->kept[i]));
  }
  cctx__unlock();
  cctx__watch_drop(ctx);
}

/* The earliest deadline of the others, and who set it. */
static int64_t earliest_due(cctx *const *others, size_t n, struct culprit *owner) {
  int64_t due = CCTX_NEVER;
  for (size_t i = 0; i < n; i++)
    if (others[i]->due < due) {
      due = others[i]->due;
      *owner = cctx__deadline_owner(others[i])->stop->owner;
    }
  return due;
}

/* Under the lock: `ctx` ends with `other`, be that so already. */
static void join_other(cctx *ctx, struct join *join, cctx *other) {
  struct watch *watch = cctx__watch_of(other);
  struct event canceled = cctx__first_canceled(other);
  list_init(&join->link);
  join->node = ctx;
  if (other->deadline < ctx->deadline) ctx->deadline = other->deadline;
  if (other->graced) ctx->graced = true;
  if (canceled.by) cctx__raise(ctx, canceled.time, &canceled.by->stop->culprit);
  if (watch == NULL || cctx__verdict(other) != CCTX_OK) return;
  list_append(&watch->joins, &join->link);
  cctx__watch_link(watch);
}

/* One report is enough, and the first parent's is made with the node. */
static void check_others(const void *caller, cctx *const *parents, size_t n) {
  for (size_t i = 1; i < n && !cctx_has_ended(parents[i - 1]); i++)
    cctx__parent_check(caller, parents[i]);
}

cctx *cctx_merge(cctx *const *parents, size_t n) {
  struct culprit owner;
  struct merged *merged;
  size_t others = n - 1;
  cctx *ctx;
  assert(n > 0 && "cctx_merge: no parent");
  check_others(__builtin_return_address(0), parents, n);
  ctx = cctx__node_new(parents[0],
                       sizeof *merged + others * (sizeof(struct join) + sizeof(cctx *)));
  if (ctx == NULL) return NULL;
  merged = cctx__room(ctx);
  cctx__stop_init(ctx, &merged->stop, CCTX_NEVER, true);
  /* Also where the first parent is done: what ended the others may have come before. */
  merged->stop.limit = earliest_due(parents + 1, others, &owner);
  if (merged->stop.limit < ctx->due) ctx->due = merged->stop.limit;
  if (merged->stop.limit != CCTX_NEVER) merged->stop.owner = owner;
  ctx->drop = drop_merged;
  ctx->kept = (cctx **)(void *)&merged->joins[others];
  cctx__lock();
  for (; ctx->kept_n < others; ctx->kept_n++) {
    ctx->kept[ctx->kept_n] = cctx_ref(parents[1 + ctx->kept_n]);
    join_other(ctx, &merged->joins[ctx->kept_n], parents[1 + ctx->kept_n]);
  }
  cctx__unlock();
  return ctx;
}
