/* SPDX-License-Identifier: Apache-2.0 */
/* Watches: the links downwards, which exist only where somebody wants to be told. */
#ifndef CCTX__WATCH_H
#define CCTX__WATCH_H

#include "alarm.h"
#include "context.h"
#include "list.h"

/* The part of a stopper by which it is found from above. Guarded by the lock.
 *
 * A stopper is linked into its nearest stopping ancestor while it is observed: by an observer, by
 * an alarm, or by a linked stopper below it. So a node that is linked has all of its
 * stopping ancestors linked. A link owns nothing: whoever observes keeps the node, and the node
 * its ancestors; a node that is freed takes itself out. It is the first member
 * of struct stop, of which this file knows no more. */
struct watch {
  struct list observers; /* struct observer, in the order of registration */
  struct list kids;      /* struct watch, in the order in which they were first observed */
  struct list sibling;   /* in the kids of the ancestor */
  bool linked;
  struct alarm alarm; /* of cctx_done_fd */
  cctx *node;         /* whose part this is */
};

void cctx__watch_init(struct watch *watch, cctx *node);

/* Link `watch`, which has got its first observer or alarm, and its ancestors. */
void cctx__watch_link(struct watch *watch);

/* Unlink it if nothing observes it any more, and then its ancestors likewise. */
void cctx__watch_unlink(struct watch *watch);

/* `node`, which has a watch, is about to be freed. Takes the lock. */
void cctx__watch_drop(cctx *node);

/* `watch` and all that is linked below it are done: ring their alarms, unlink them, and move
 * their observers to `told`, parents first, siblings in the order of their links, and of
 * one node in the order of registration. */
void cctx__watch_publish(struct watch *watch, struct list *told);

/* The part of the nearest stopper at or above `ctx`; NULL if nothing can stop it. */
struct watch *cctx__watch_of(const cctx *ctx);

#endif
