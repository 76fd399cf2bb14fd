/* SPDX-License-Identifier: Apache-2.0 */
/* Drives the library and the model by the same choices, and compares after each. The
 * choices come from bytes, or when these are none, from a seed.
 *
 * Callbacks check that it is their turn by the model, and go on choosing from within. Where
 * it could not be foretold when a callback runs, none is registered: with CCTX_INLINE
 * for a deadline or a grace, which the library's thread tells.
 */
#ifndef MODEL_RUN_H
#define MODEL_RUN_H

#include "model_observers.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEPTH_MAX = 4, FDS_MAX = 3, WAYS_MAX = 24 };

static struct run {
  struct model model;
  const uint8_t *bytes, *end;
  uint64_t seed, random;
  int step, steps; /* of so many */
  cctx *nodes[NODES];
  int fds[NODES]; /* -1: none */
  cctx_observer tokens[OBSERVERS];
  cctx_loop *loops[LOOPS];
  int loop_fd; /* of the first */
  bool running[LOOPS];
  int depth; /* of callbacks and cancelers */
  cctx_key *keys[KEYS];
  cctx *current; /* of the thread: callbacks do not see it */
} run;

#define AGREES(cond)                                                                       \
  do {                                                                                     \
    if (!(cond)) disagree(#cond, __LINE__);                                                \
  } while (0)

static inline void disagree(const char *what, int line) {
  printf("%s:%d: seed %llu, step %d: does not hold: %s\n", __FILE__, line,
         (unsigned long long)run.seed, run.step, what);
  fflush(stdout);
  abort();
}

/* A number below `n`; 0 when the bytes have run out. */
static inline int choose(int n) {
  if (run.bytes) return run.bytes < run.end ? *run.bytes++ % n : 0;
  run.random ^= run.random << 13;
  run.random ^= run.random >> 7;
  run.random ^= run.random << 17;
  return (int)((run.random >> 20) % (uint64_t)n);
}

static inline int number_of(const struct m_node *n) { return (int)(n - run.model.nodes); }

static inline cctx *real(const struct m_node *n) { return run.nodes[number_of(n)]; }

static inline struct m_node *choose_held(void) {
  int n = choose(NODES);
  for (int i = 0; i < NODES; i++) {
    struct m_node *at = &run.model.nodes[(n + i) % NODES];
    if (at->alive && at->held) return at;
  }
  return NULL;
}

/* One that is done or live, with luck: trees of nothing but dead nodes are dull. */
static inline struct m_node *choose_held_of(bool done) {
  struct m_node *n = choose_held();
  for (int i = 0; i < 3 && n != NULL && (m_status(&run.model, n) != 0) != done; i++)
    n = choose_held();
  return n;
}

/* Text number `why` of a cause; 0 is what the library says by itself. */
static inline const char *text(int why, int status) {
  static const char *const texts[] = {NULL, "red", "green", "blue"};
  return texts[why] ? texts[why] : cctx_status_message(status);
}

/* ---- Comparing ---- */

static inline void compare_node(struct m_node *n) {
  const cctx *ctx = real(n);
  struct cctx_cause cause;
  struct m_end end = m_end(n);
  int status = m_status(&run.model, n);
  int64_t deadline = m_deadline(n), left = deadline - run.model.now;
  AGREES(cctx_err(ctx) == status);
  AGREES(cctx_cause(ctx, &cause) == status && cause.status == status);
  AGREES(strcmp(cause.message, status ? text(end.why, status) : "") == 0);
  AGREES(cause.time == (status ? end.time : 0));
  AGREES(cctx_deadline(ctx) == deadline);
  if (deadline == CCTX_NEVER) left = CCTX_NEVER;
  AGREES(cctx_remaining(ctx) == (left > 0 ? left : 0));
  AGREES(cctx_can_be_done(ctx) == (m_stopper(n) != NULL));
}

static inline void compare_values(struct m_node *n) {
  for (int key = 0; key < KEYS; key++) {
    cctx_variant value;
    int64_t expected;
    bool found = m_value(n, key, &expected);
    AGREES(cctx_value(real(n), run.keys[key], &value) == (found ? 0 : CCTX_ENOTFOUND));
    if (found) AGREES(expected ? value.as.i == expected : value.type == CCTX_NIL);
  }
}

static inline bool is_readable(int fd, int timeout) {
  struct pollfd at = {fd, POLLIN, 0};
  return poll(&at, 1, timeout) == 1;
}

static inline void compare_loop(int loop) {
  int64_t next = m_next(&run.model, READY_OF + loop) ? INT64_MIN : CCTX_NEVER;
  int64_t real_next = cctx_loop_next(run.loops[loop]);
  for (struct m_observer *o = run.model.observers; o < run.model.observers + OBSERVERS; o++)
    if (o->state == WAITING && o->loop == loop && m_end(o->node).time < next)
      next = m_end(o->node).time;
  AGREES(next > run.model.now ? real_next == next : real_next <= run.model.now);
  if (loop == 0 && !run.running[0]) { /* the other one has no descriptor */
    bool due = next <= run.model.now;
    AGREES(is_readable(run.loop_fd, due ? 1000 : 0) == due);
  }
}

static inline void compare(void) {
  size_t alive;
  m_link(&run.model);
  alive = m_sweep(&run.model);
  AGREES(cctx_alive() == alive + 1 && (run.depth > 0 || cctx_current() == run.current));
  for (struct m_node *n = run.model.nodes; n < run.model.nodes + NODES; n++) {
    int *fd = &run.fds[number_of(n)];
    if (!n->alive) *fd = -1;
    if (!n->alive || !n->held) continue;
    compare_node(n);
    compare_values(n);
    if (*fd >= 0) {
      bool done = m_status(&run.model, n) != 0;
      AGREES(is_readable(*fd, done ? 1000 : 0) == done);
    }
  }
  for (int i = 0; i < LOOPS; i++) compare_loop(i);
}

/* ---- What is chosen from ---- */

static void take_step(void);

static inline void hold(struct m_node *n, cctx *ctx) {
  AGREES(ctx != NULL);
  run.nodes[number_of(n)] = ctx;
}

/* Root of a new tree, or a child. */
static inline void derive(void) {
  struct m_node *from = choose(16) ? choose_held_of(false) : NULL,
                *n = m_add(&run.model, from);
  cctx *parent = from ? real(from) : cctx_background();
  int why = choose(4), key = choose(KEYS);
  int64_t limit = run.model.now + (choose(4) ? 40 + choose(40) : choose(16) - 3);
  if (n == NULL) return;
  switch (choose(8)) {
  case 0:
  case 1:
  case 2:
    n->stops = n->cancelable = true;
    hold(n, cctx_with_cancel(parent));
    break;
  case 3:
  case 4:
    if (limit == run.model.now + 79) limit = CCTX_NEVER;
    m_limit(&run.model, n, limit, why);
    n->cancelable = true;
    hold(n, cctx_with_deadline_cause(parent, limit, why ? text(why, 0) : NULL));
    break;
  case 5:
  case 6:
    n->has[key] = true;
    n->value[key] = choose(4);
    hold(n, cctx_with_value(parent, run.keys[key],
                            n->value[key] ? cctx_int(n->value[key]) : cctx_nil()));
    break;
  default:
    n->alive = n->held = false;
    if (from == NULL) return;
    n = m_detach(&run.model, from, limit % 2 != 0);
    hold(n, cctx_detached(parent, limit % 2 != 0 ? CCTX_KEEP_DEADLINE : 0));
  }
}

static inline void merge(void) {
  struct m_node *from[1 + OTHERS], *n;
  cctx *parents[1 + OTHERS];
  int size = 2 + choose(OTHERS), ways = 0;
  for (int i = 0; i < size; i++) {
    from[i] = choose(8) ? choose_held_of(choose(4) == 0) : NULL;
    if (i > 0 && !m_is_graced(from[i])) from[i] = choose_held_of(false);
    parents[i] = from[i] ? real(from[i]) : cctx_background();
    ways += m_ways(from[i]);
    for (int j = 0; j < i; j++)
      if (m_is_tie(from[i], from[j])) return;
  }
  if (ways > WAYS_MAX || (n = m_add(&run.model, from[0])) == NULL) return;
  for (int i = 1; i < size; i++) n->others[i - 1] = from[i];
  n->stops = n->cancelable = true;
  hold(n, cctx_merge(parents, (size_t)size));
}

static inline void give_grace(void) {
  struct m_node *from = choose(16) ? choose_held_of(choose(4) == 0) : NULL,
                *n = m_add(&run.model, from);
  int grace = choose(8) - 1;
  if (n == NULL) return;
  n->grace = grace > 0 ? grace : 0;
  n->stops = n->cancelable = true;
  hold(n, cctx_with_grace(from ? real(from) : cctx_background(), grace));
}

static inline void weave(void) {
  if (!run.model.woven)
    derive();
  else
    (choose(2) ? merge : give_grace)();
}

static inline void cancel(void) {
  struct m_node *n = choose_held_of(false);
  int why = choose(4), queue, first;
  if (n == NULL || run.depth == DEPTH_MAX) return;
  while (n->parent != NULL && n->parent->held && choose(3)) n = n->parent;
  queue = CANCELERS + run.depth++;
  first = m_cancel(&run.model, n, why, queue);
  m_link(&run.model);
  AGREES(cctx_cancel(real(n), why ? text(why, 0) : NULL) == first);
  AGREES(m_next(&run.model, queue) == NULL);
  run.depth--;
}

static inline void give_back(void) {
  struct m_node *n = choose_held_of(true);
  if (n == NULL || (m_status(&run.model, n) == 0 && choose(2))) return;
  n->held = false;
  cctx_unref(real(n));
}

static void called(cctx *ctx, void *arg) {
  struct m_observer *o = arg;
  AGREES(o->state == READY);
  AGREES(run.model.woven || m_next(&run.model, o->queue) == o);
  AGREES(o->queue >= BATCH_OF && ctx == real(o->node));
  AGREES(cctx_err(ctx) == m_status(&run.model, o->node) && cctx_err(ctx) != 0);
  AGREES(cctx_current() == cctx_background());
  o->state = RUNNING;
  if (run.depth < DEPTH_MAX) {
    run.depth++;
    if (choose(2)) take_step();
    if (choose(2)) take_step();
    run.depth--;
  }
  o->state =
      IDLE; /* the library ends it when we have returned; nobody compares until then */
}

static inline void observe(void) {
  struct m_observer *o = &run.model.observers[choose(OBSERVERS)];
  struct m_node *n = choose_held_of(choose(8) == 0);
  int loop = choose(LOOPS + 1), queue;
  if (n == NULL || o->state != IDLE || run.depth == DEPTH_MAX) return;
  if (loop == INLINE && m_status(&run.model, n) == 0)
    if (m_deadline(n) != CCTX_NEVER || m_is_graced(n)) loop = 0;
  queue = CANCELERS + run.depth++;
  m_observe(&run.model, o, n, loop, queue);
  m_link(&run.model);
  AGREES(cctx_on_done(real(n), loop == INLINE ? CCTX_INLINE : run.loops[loop], called, o,
                      &run.tokens[o - run.model.observers]) == 0);
  AGREES(m_next(&run.model, queue) == NULL);
  run.depth--;
}

static inline void withdraw(void) {
  int n = choose(OBSERVERS);
  int prevented = m_withdraw(&run.model.observers[n]);
  m_link(&run.model); /* what is observed again is linked anew, behind its siblings */
  AGREES((choose(2) ? cctx_off_done : cctx_off_done_wait)(&run.tokens[n]) == prevented);
}

static inline void run_loop(void) {
  int loop = choose(LOOPS);
  int64_t now = run.model.now + (choose(2) ? 0 : 2 - choose(5)); /* never past the clock */
  if (run.running[loop]) return;
  if (run.model.woven) now = run.model.now; /* who has expired may be told by a canceler */
  run.running[loop] = true;
  m_run(&run.model, loop, now < run.model.now ? now : run.model.now);
  m_link(&run.model);
  cctx_loop_run(run.loops[loop], now);
  AGREES(m_next(&run.model, BATCH_OF + loop) == NULL);
  run.running[loop] = false;
}

static inline void make_loop(int loop) {
  run.loops[loop] = cctx_loop_new();
  AGREES(run.loops[loop] != NULL);
  if (loop == 0) run.loop_fd = cctx_loop_fd(run.loops[0]);
}

static inline void renew_loop(void) {
  int loop = choose(LOOPS);
  if (run.running[loop]) return;
  for (struct m_observer *o = run.model.observers; o < run.model.observers + OBSERVERS; o++)
    if (o->loop == loop) m_withdraw(o);
  cctx_loop_free(run.loops[loop]);
  make_loop(loop);
  m_link(&run.model);
}

static inline void set_clock(void) {
  run.model.now += choose(5);
  cctx_clock_set(run.model.now);
}

/* Once a deadline has passed, a new descriptor tells so but does not count as observing. */
static inline void ask_fd(void) {
  struct m_node *n = m_stopper(choose_held());
  int fds = 0, *fd;
  for (int i = 0; i < NODES; i++) fds += run.fds[i] >= 0;
  if (n == NULL || !n->held || fds == FDS_MAX) return;
  fd = &run.fds[number_of(n)];
  if (*fd < 0 && m_status(&run.model, n) == CCTX_EDEADLINE) return;
  if (*fd < 0) n->has_fd = m_status(&run.model, n) == 0;
  m_link(&run.model);
  AGREES(*fd < 0 || cctx_done_fd(real(n)) == *fd);
  *fd = cctx_done_fd(real(n));
  AGREES(*fd >= 0);
}

/* Trees grow for a while, the first GROWING ways, before any of the others. */
static void take_step(void) {
  static void (*const ways[])(void) = {
      derive, derive, weave,  weave,     observe,   observe,  observe,  withdraw,
      ask_fd, cancel, cancel, give_back, give_back, run_loop, run_loop, set_clock,
  };
  enum { WAYS = sizeof ways / sizeof *ways, GROWING = 9, PHASE = 50 };
  if (choose(200) == 1) renew_loop();
  ways[choose(run.step % PHASE < PHASE / 2 ? GROWING : WAYS)]();
  run.step++;
  compare();
}

/* ---- A whole run ---- */

static inline void run_all(void) {
  static const char *const names[KEYS] = {"model-red", "model-green", "model-blue"};
  cctx_token token;
  memset(&run.model, 0, sizeof run.model);
  memset(run.tokens, 0, sizeof run.tokens);
  for (int i = 0; i < NODES; i++) run.fds[i] = -1;
  for (int i = 0; i < KEYS; i++) run.keys[i] = cctx_key_named(names[i]);
  for (int i = 0; i < LOOPS; i++) make_loop(i);
  run.model.now = 1000;
  run.model.woven = choose(2);
  cctx_clock_set(run.model.now);
  run.current = cctx_with_cancel(cctx_background());
  AGREES(cctx_attach(run.current, &token) == 0);
  run.step = 0;
  while (run.step < run.steps && (run.bytes == NULL || run.bytes < run.end)) take_step();
  for (struct m_observer *o = run.model.observers; o < run.model.observers + OBSERVERS; o++)
    AGREES(cctx_off_done(&run.tokens[o - run.model.observers]) == m_withdraw(o));
  for (int i = 0; i < LOOPS; i++) cctx_loop_free(run.loops[i]);
  for (struct m_node *n = run.model.nodes; n < run.model.nodes + NODES; n++)
    if (n->alive && n->held) cctx_unref(real(n));
  AGREES(cctx_detach(&token) == 0);
  cctx_unref(run.current);
  AGREES(cctx_alive() == 0);
  cctx_clock_set(CCTX_CLOCK_REAL);
}

/* `steps` choices, as `seed` has it. */
static inline void run_seed(uint64_t seed, int steps) {
  run.seed = seed;
  run.random = seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
  run.bytes = run.end = NULL;
  run.steps = steps;
  for (int i = 0; i < 8; i++) choose(2);
  run_all();
}

static inline void run_bytes(const uint8_t *bytes, size_t size) {
  run.seed = 0;
  run.bytes = bytes;
  run.end = bytes + size;
  run.steps = 4096;
  run_all();
}

#endif
