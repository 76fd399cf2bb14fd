/* SPDX-License-Identifier: Apache-2.0 */
/* A naive model of the tree: what was done to each node is noted, and every answer is
 * computed from that and the clock, by recursion to the root. It is slow and obvious, and
 * never looks at the library. */
#ifndef MODEL_H
#define MODEL_H

#include <cctx.h>
#include <cctx/loop.h>

#include <string.h>

enum { NODES = 20, OBSERVERS = 20, KEYS = 3, OTHERS = 2, LOOPS = 2, INLINE = LOOPS };

/* Where an observer that is ready waits: of a loop, of its run, of nested cancelers. */
enum { READY_OF = 0, BATCH_OF = LOOPS, CANCELERS = 2 * LOOPS };

struct m_end {
  int64_t time;
  int status, why; /* why: the text of who did it; status 0: never */
  uint64_t order;  /* of a cancellation among all */
};

struct m_node {
  bool alive, held;              /* held: the test has a reference */
  struct m_node *parent;         /* NULL: background, or detached */
  struct m_node *others[OTHERS]; /* that it was merged from, or NULL */
  int64_t grace;
  bool stops, cancelable; /* by itself */
  int64_t limit;          /* the deadline that it adds itself */
  bool counts;            /* the limit does, unless it was told too late */
  int owner;              /* the text of who set it; 0: none */
  struct m_end canceled;  /* by itself */
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
  bool woven; /* merges and graces are made; then no order of callbacks is foretold */
  struct m_node nodes[NODES];
  struct m_observer observers[OBSERVERS];
};

/* ---- When and why a node ends -------------------------------------------------------- */

static inline int64_t m_later(int64_t time, int64_t grace) {
  return time == CCTX_NEVER ? CCTX_NEVER : time + grace;
}

/* At the same time a deadline comes before a cancellation; of two cancellations that which
 * was made first; of two deadlines the nearest, which is `a`. */
static inline struct m_end m_earlier(struct m_end a, struct m_end b) {
  if (a.status == 0 || b.status == 0) return a.status ? a : b;
  if (a.time != b.time) return a.time < b.time ? a : b;
  if (a.status != b.status) return a.status == CCTX_EDEADLINE ? a : b;
  return a.order <= b.order ? a : b;
}

/* By what has been done until now; by deadlines alone unless `canceled`. */
static inline struct m_end m_end_by(const struct m_node *n, bool canceled) {
  struct m_end end = {CCTX_NEVER, 0, 0, 0}, above;
  if (n == NULL) return end;
  if (canceled && n->canceled.status) end = n->canceled;
  if (n->counts)
    end = m_earlier(end, (struct m_end){n->limit, CCTX_EDEADLINE, n->owner, 0});
  for (int i = 0; i < OTHERS; i++) end = m_earlier(end, m_end_by(n->others[i], canceled));
  above = m_end_by(n->parent, canceled);
  above.time = m_later(above.time, n->grace);
  return m_earlier(end, above);
}

static inline struct m_end m_end(const struct m_node *n) { return m_end_by(n, true); }

static inline int m_status(const struct model *m, const struct m_node *n) {
  struct m_end end = m_end(n);
  return end.time <= m->now ? end.status : 0;
}

/* Of parents that end at the same time, for causes of their own, it is not said which
 * counts. */
static inline bool m_is_tie(const struct m_node *a, const struct m_node *b) {
  struct m_end of_a = m_end(a), of_b = m_end(b);
  return of_a.status != 0 && of_a.time == of_b.time && of_a.order != of_b.order;
}

static inline int64_t m_deadline(const struct m_node *n) {
  int64_t deadline, other;
  if (n == NULL) return CCTX_NEVER;
  deadline = m_later(m_deadline(n->parent), n->grace);
  for (int i = 0; i < OTHERS; i++)
    if ((other = m_deadline(n->others[i])) < deadline) deadline = other;
  return n->limit < deadline ? n->limit : deadline;
}

static inline bool m_is_graced(const struct m_node *n) {
  bool graced = n != NULL && n->grace > 0;
  if (n == NULL) return false;
  for (int i = 0; i < OTHERS; i++) graced = graced || m_is_graced(n->others[i]);
  return graced || m_is_graced(n->parent);
}

/* Ways from `n` to a root: as long as the recursions take. */
static inline int m_ways(const struct m_node *n) {
  int ways = n == NULL ? 1 : m_ways(n->parent);
  for (int i = 0; n != NULL && i < OTHERS; i++)
    if (n->others[i]) ways += m_ways(n->others[i]);
  return ways;
}

/* ---- The tree ------------------------------------------------------------------------ */

static inline struct m_node *m_stopper(struct m_node *n) {
  return n == NULL || n->stops ? n : m_stopper(n->parent);
}

static inline struct m_node *m_add(struct model *m, struct m_node *parent) {
  for (struct m_node *n = m->nodes; n < m->nodes + NODES; n++) {
    if (n->alive) continue;
    *n = (struct m_node){.alive = true, .held = true, .parent = parent};
    n->limit = CCTX_NEVER;
    return n;
  }
  return NULL;
}

/* A deadline that passed before the node was made, below a parent that is done, is told
 * and does nothing. */
static inline void m_limit(struct model *m, struct m_node *n, int64_t limit, int owner) {
  n->stops = true;
  n->limit = limit;
  n->owner = owner;
  n->counts = limit != CCTX_NEVER && (limit > m->now || m_status(m, n) == 0);
}

static inline bool m_value(const struct m_node *n, int key, int64_t *value) {
  if (n == NULL) return false;
  if (!n->has[key]) return m_value(n->parent, key, value);
  *value = n->value[key];
  return true;
}

static inline struct m_node *m_detach(struct model *m, struct m_node *from, bool keep) {
  struct m_node *n = m_add(m, NULL);
  struct m_end end = m_end_by(from, false);
  int64_t deadline = m_deadline(from);
  for (int key = 0; key < KEYS; key++) n->has[key] = m_value(from, key, &n->value[key]);
  if (keep && deadline != CCTX_NEVER)
    m_limit(m, n, deadline, end.time == deadline ? end.why : 0);
  return n;
}

static inline bool m_is_parent(const struct m_node *n, const struct m_node *kid) {
  bool is = kid->parent == n;
  for (int i = 0; i < OTHERS; i++) is = is || kid->others[i] == n;
  return is;
}

static inline bool m_needed(struct model *m, struct m_node *n) {
  bool needed = n->held;
  for (struct m_node *kid = m->nodes; kid < m->nodes + NODES; kid++)
    needed = needed || (kid->alive && m_is_parent(n, kid));
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
