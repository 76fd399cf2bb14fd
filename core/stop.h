/* SPDX-License-Identifier: Apache-2.0 */
/* How a node stops. */
#ifndef CCTX__STOP_H
#define CCTX__STOP_H

#include "context.h"
#include "site.h"
#include "watch.h"

/* Who stopped something, with room for the texts: canceling takes no memory. */
struct culprit {
  char message[CCTX_MESSAGE_MAX];
  struct site site;
};

/* The part of a node that can stop by itself. */
struct stop {
  struct watch watch;   /* who is to be told; the first member */
  int64_t limit;        /* the deadline that this node adds; CCTX_NEVER: none */
  struct culprit owner; /* who set it */
  int64_t delay;        /* of a grace: how long after its parent; -1: at once */
  bool cancelable;      /* by cctx_cancel: whoever made the node may stop it */
  atomic_bool canceled; /* false to true once, under the lock; the rest before it */
  int64_t time; /* from which on it counts; while that is to come, it may get earlier */
  struct culprit culprit; /* who canceled */
};

/* Make `ctx`, which nobody else has seen, stop at `limit`. `stop` is memory of its own. If its
 * parent is done, so is `ctx`, and for the parent's reason, however early `limit` is. */
void cctx__stop_init(cctx *ctx, struct stop *stop, int64_t limit, bool cancelable);

/* The node that set the deadline which ends `ctx`, of equal ones the nearest; NULL: none. */
const cctx *cctx__deadline_owner(const cctx *ctx);

/* cctx_err(ctx), with the lock held; at a time that was read in it. */
int cctx__verdict(const cctx *ctx);
int cctx__verdict_at(const cctx *ctx, int64_t now);

/* An event on the path of a node, and when it ends that node. */
struct event {
  const cctx *by; /* NULL: there is none */
  int64_t time;
};

/* The first cancellation that counts for `ctx`, now or later; of equal ones the nearest. Under
 * the lock. */
struct event cctx__first_canceled(const cctx *ctx);

/* `time` and `delay` more, saturating. */
static inline int64_t cctx__add(int64_t time, int64_t delay) {
  return time > CCTX_NEVER - delay ? CCTX_NEVER : time + delay;
}

/* `node` ends at `time`, for `culprit`: false if it does so already. What is to come may be
 * brought forward; nobody has seen it yet. Under the lock. */
bool cctx__raise(cctx *node, int64_t time, const struct culprit *culprit);

/* When `ctx` will be done at the latest, by what is known now. Under the lock. */
int64_t cctx__expected(const cctx *ctx);

/* Copy the texts, cut to their room. `message` and `file` may be NULL. */
void cctx__culprit_set(struct culprit *to, const char *message, const char *file, int line);

#endif
