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
  struct list joins;     /* struct join: merged contexts that end with this one */
  bool linked;
  bool delayed;            /* a grace: not done when what is above it is */
  struct list rescheduled; /* in the list of roots, while a grace begins */
  struct alarm alarm;      /* of cctx_done_fd */
  cctx *node;              /* whose part this is */
};

/* How a merged context hangs on one of its parents. */
struct join {
  struct list link;
  cctx *node;
};

/* What a publish found. */
struct published {
  struct list told;    /* struct observer, in the order in which to call them */
  struct list joined;  /* struct join of nodes that end too */
  struct list delayed; /* struct watch.sibling of graces, whose time begins */
};

void cctx__watch_init(struct watch *watch, cctx *node);

/* Link `watch`, which has got its first observer or alarm, and its ancestors. */
void cctx__watch_link(struct watch *watch);

/* Unlink it if nothing observes it any more, and then its ancestors likewise. */
void cctx__watch_unlink(struct watch *watch);

/* `node`, which has a watch, is about to be freed. Takes the lock. */
void cctx__watch_drop(cctx *node);

/* `watch` and all that is linked below it, short of a grace, are done: ring their alarms, unlink
 * them, and move their observers to `found`, parents first, siblings in the order of
 * their links, and of one node in the order of registration. */
void cctx__watch_publish(struct watch *watch, struct published *found);

/* The next of all that is linked at and below `root`, in the order of a walk. NULL: the end. */
struct watch *cctx__watch_next(const struct watch *root, struct watch *at);

/* The part of the nearest stopper at or above `ctx`; NULL if nothing can stop it. */
struct watch *cctx__watch_of(const cctx *ctx);

#endif
