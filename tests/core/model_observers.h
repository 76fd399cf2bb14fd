/* SPDX-License-Identifier: Apache-2.0 */
/* The model of who is told: an observer is withdrawn, or goes from waiting to ready, in the
 * order in which the rules tell it, and is taken from its queue once. Where nodes are
 * woven the queue is a set. */
#ifndef MODEL_OBSERVERS_H
#define MODEL_OBSERVERS_H

#include "model.h"

static inline bool m_is_observed(struct model *m, struct m_node *n) {
  bool observed = n->has_fd;
  for (struct m_observer *o = m->observers; o < m->observers + OBSERVERS; o++)
    observed = observed || (o->state == WAITING && m_stopper(o->node) == n);
  for (struct m_node *kid = m->nodes; kid < m->nodes + NODES; kid++)
    observed = observed || (kid->alive && kid->stops && m_stopper(kid->parent) == n &&
                            m_is_observed(m, kid));
  return observed;
}

/* To be called after each change. */
static inline void m_link(struct model *m) {
  for (struct m_node *n = m->nodes; n < m->nodes + NODES; n++) {
    bool observed = n->alive && n->stops && m_is_observed(m, n);
    if (!observed) n->linked = 0;
    if (observed && n->linked == 0) n->linked = ++m->count;
  }
}

static inline void m_ready(struct model *m, struct m_observer *o, int canceler) {
  o->state = READY;
  o->queue = o->loop == INLINE ? canceler : READY_OF + o->loop;
  o->order = ++m->count;
}

static inline void m_tell_one(struct model *m, struct m_node *n, int canceler) {
  struct m_observer *first = NULL;
  for (struct m_observer *o = m->observers; o < m->observers + OBSERVERS; o++)
    if (o->state == WAITING && m_stopper(o->node) == n)
      if (first == NULL || o->order < first->order) first = o;
  if (first == NULL) return;
  m_ready(m, first, canceler);
  m_tell_one(m, n, canceler);
}

/* The kid of `n` that was linked first of those linked after `after`; NULL: none. */
static inline struct m_node *m_next_kid(struct model *m, struct m_node *n, uint64_t after) {
  struct m_node *next = NULL;
  for (struct m_node *kid = m->nodes; kid < m->nodes + NODES; kid++)
    if (kid->linked > after && m_stopper(kid->parent) == n)
      if (next == NULL || kid->linked < next->linked) next = kid;
  return next;
}

/* Level by level, siblings as they were linked, of one node in order of registration. */
static inline void m_tell(struct model *m, struct m_node *top, int canceler) {
  struct m_node *level[NODES] = {top}, *kid;
  int end = 1;
  for (int i = 0; i < end; i++) {
    m_tell_one(m, level[i], canceler);
    for (uint64_t at = 0; (kid = m_next_kid(m, level[i], at)) != NULL; at = kid->linked)
      level[end++] = kid;
    level[i]->has_fd = false;
  }
}

/* Where nodes are woven: whoever waits for one that was live and is so no more. */
static inline void m_tell_ended(struct model *m, const bool *was_live, int canceler) {
  for (struct m_observer *o = m->observers; o < m->observers + OBSERVERS; o++)
    if (o->state == WAITING && was_live[o->node - m->nodes] && m_status(m, o->node) != 0)
      m_ready(m, o, canceler);
}

static inline int m_cancel(struct model *m, struct m_node *n, int why, int canceler) {
  bool was_live[NODES];
  if (!n->cancelable) return CCTX_EINVAL;
  if (m_status(m, n) != 0) return 0;
  for (int i = 0; i < NODES; i++)
    was_live[i] = m->nodes[i].alive && m_status(m, &m->nodes[i]) == 0;
  n->canceled = (struct m_end){m->now, CCTX_ECANCELED, why, ++m->count};
  if (m->woven)
    m_tell_ended(m, was_live, canceler);
  else
    m_tell(m, n, canceler);
  return 1;
}

static inline void m_observe(struct model *m, struct m_observer *o, struct m_node *n,
                             int loop, int canceler) {
  *o = (struct m_observer){WAITING, n, loop, 0, ++m->count};
  if (m_status(m, n) != 0) m_ready(m, o, canceler);
}

static inline int m_withdraw(struct m_observer *o) {
  int prevented = o->state == WAITING || o->state == READY;
  if (prevented) o->state = IDLE;
  return prevented;
}

/* The next of `queue`, or NULL. */
static inline struct m_observer *m_next(struct model *m, int queue) {
  struct m_observer *next = NULL;
  for (struct m_observer *o = m->observers; o < m->observers + OBSERVERS; o++)
    if (o->state == READY && o->queue == queue && (next == NULL || o->order < next->order))
      next = o;
  return next;
}

/* The first that `loop` has to tell until `now`, when a deadline passes or a grace is over;
 * NULL: none. */
static inline struct m_observer *m_expired(struct model *m, int loop, int64_t now) {
  struct m_observer *first = NULL;
  int64_t time = now;
  for (struct m_observer *o = m->observers; o < m->observers + OBSERVERS; o++) {
    if (o->state != WAITING || o->loop != loop || m_end(o->node).time > time) continue;
    if (first && m_end(o->node).time == time && o->order > first->order) continue;
    first = o;
    time = m_end(o->node).time;
  }
  return first;
}

/* A run begins: what is ready, then what has expired, by deadline and registration. */
static inline void m_run(struct model *m, int loop, int64_t now) {
  struct m_observer *o;
  while ((o = m_expired(m, loop, now)) != NULL) m_ready(m, o, 0);
  for (struct m_observer *at = m->observers; at < m->observers + OBSERVERS; at++)
    if (at->state == READY && at->queue == READY_OF + loop) at->queue = BATCH_OF + loop;
}

#endif
