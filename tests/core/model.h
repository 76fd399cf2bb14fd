/* SPDX-License-Identifier: Apache-2.0 */
/* A naive model of the tree: arrays, recursion, and a state that is set the moment a rule
 * says so. It is slow and obvious, and never looks at the library. */
#ifndef MODEL_H
#define MODEL_H

#include <cctx.h>
#include <cctx/loop.h>

#include <string.h>

enum { NODES = 20, OBSERVERS = 20, KEYS = 3, LOOPS = 2, INLINE = LOOPS };

/* Where an observer that is ready waits: of a loop, of its run, of nested cancelers. */
enum { READY_OF = 0, BATCH_OF = LOOPS, CANCELERS = 2 * LOOPS };

struct m_node {
  bool alive, held;       /* held: the test has a reference */
  struct m_node *parent;  /* NULL: background, or detached */
  bool stops, cancelable; /* by itself */
  int64_t deadline;       /* the earliest of the path */
  int owner;              /* the text of who set it; 0: none */
  int status, why;        /* 0: live; why: the text of who ended it */
  int64_t time;
  bool has[KEYS];
  int64_t value[KEYS];
  bool has_fd;     /* that will be told */
  uint64_t linked; /* since when it is observed, or something below it; 0: not */
};

struct m_observer {
  enum { IDLE, WAITING, READY, RUNNING } state;
  struct m_node *node;
  int loop, queue;
  uint64_t order; /* of registration; once ready, in its queue */
};

struct model {
  int64_t now;
  uint64_t count;
  struct m_node nodes[NODES];
  struct m_observer observers[OBSERVERS];
};

/* ---- The tree ------------------------------------------------------------------------ */

static inline struct m_node *m_stopper(struct m_node *n) {
  return n == NULL || n->stops ? n : m_stopper(n->parent);
}

static inline void m_end(struct m_node *n, int status, int why, int64_t time) {
  if (n->status != 0) return;
  n->status = status;
  n->why = why;
  n->time = time;
}

static inline struct m_node *m_add(struct model *m, struct m_node *parent) {
  for (struct m_node *n = m->nodes; n < m->nodes + NODES; n++) {
    if (n->alive) continue;
    *n = (struct m_node){.alive = true, .held = true, .parent = parent};
    n->deadline = parent ? parent->deadline : CCTX_NEVER;
    n->owner = parent ? parent->owner : 0;
    if (parent) m_end(n, parent->status, parent->why, parent->time);
    return n;
  }
  return NULL;
}

/* A deadline that passed before the node was made, below a parent that is done, is told
 * and does nothing. */
static inline void m_limit(struct model *m, struct m_node *n, int64_t limit, int owner) {
  bool counts = n->status == 0 || limit > m->now;
  n->stops = true;
  if (counts ? limit <= n->deadline && limit != CCTX_NEVER : limit < n->deadline) {
    n->deadline = limit;
    n->owner = counts ? owner : 0;
  }
  if (n->deadline <= m->now) m_end(n, CCTX_EDEADLINE, n->owner, n->deadline);
}

static inline bool m_value(const struct m_node *n, int key, int64_t *value) {
  if (n == NULL) return false;
  if (!n->has[key]) return m_value(n->parent, key, value);
  *value = n->value[key];
  return true;
}

static inline struct m_node *m_detach(struct model *m, struct m_node *from, bool keep) {
  struct m_node *n = m_add(m, NULL);
  for (int key = 0; key < KEYS; key++) n->has[key] = m_value(from, key, &n->value[key]);
  if (keep && from->deadline != CCTX_NEVER) m_limit(m, n, from->deadline, from->owner);
  return n;
}

static inline void m_clock(struct model *m, int64_t now) {
  m->now = now;
  for (struct m_node *n = m->nodes; n < m->nodes + NODES; n++)
    if (n->alive && n->deadline <= now) m_end(n, CCTX_EDEADLINE, n->owner, n->deadline);
}

static inline bool m_needed(struct model *m, struct m_node *n) {
  bool needed = n->held;
  for (struct m_node *kid = m->nodes; kid < m->nodes + NODES; kid++)
    needed = needed || (kid->alive && kid->parent == n);
  for (struct m_observer *o = m->observers; o < m->observers + OBSERVERS; o++)
    needed = needed || (o->state != IDLE && o->node == n);
  return needed;
}

/* Free what nothing needs; returns how many nodes are left. */
static inline size_t m_sweep(struct model *m) {
  size_t alive = 0, freed = 0;
  for (struct m_node *n = m->nodes; n < m->nodes + NODES; n++) {
    if (!n->alive) continue;
    n->alive = m_needed(m, n);
    freed += !n->alive;
    alive += n->alive;
  }
  return freed ? m_sweep(m) : alive;
}

#endif
