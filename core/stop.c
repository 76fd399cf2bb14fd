/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts, pulled: a node that is canceled says so, and its descendants find out when
 * they are asked.
 *
 * The answer for a node N is a function of the `canceled` flags and times above it, and of the
 * clock. A cancellation counts for N from its own time on, later by every grace between the
 * two. Let A be the first that counts for N, at time t; if none does yet, t is now. If N's
 * deadline (the minimum of its path) is at or before t, N ended at its deadline. Else N ended
 * with A, if there is an A. Else it is live.
 *
 * A node that is made with a deadline in the past, below a parent that is done, ended with its
 * parent: the deadline is what it reports, and does not count here (`due`).
 *
 * Why it never changes: cancel(X) does nothing to an X that is done, and flags are set, with the
 * time, under the lock, in which every verdict "done" is found too. A verdict taken before
 * a cancellation has seen an earlier clock than the time which that cancellation notes, so what
 * had come to pass then is still before the time noted.
 * Why "live" needs no lock: a flag only ever rises, so if each was found down, all were down
 * when the first of them was read.
 */
#include "stop.h"

#include <assert.h>
#include <string.h>

#include "lock.h"

void cctx__culprit_set(struct culprit *to, const char *message, const char *file,
                       int line) {
  cctx__copy_head(to->message, sizeof to->message, message ? message : "");
  cctx__site_set(&to->site, file, line);
}

void cctx__stop_init(cctx *ctx, struct stop *stop, int64_t limit, bool cancelable) {
  memset(stop, 0, sizeof *stop);
  /* Only a deadline that has passed can be before what ended the parent. */
  bool is_born_done = ctx->parent && limit != CCTX_NEVER && limit <= cctx_now() &&
                      cctx_err(ctx->parent) != CCTX_OK;
  stop->limit = is_born_done ? CCTX_NEVER : limit;
  stop->delay = -1;
  stop->cancelable = cancelable;
  atomic_init(&stop->canceled, false);
  cctx__watch_init(&stop->watch, ctx);
  ctx->drop = cctx__watch_drop;
  ctx->stop = stop;
  ctx->stopper = ctx;
  if (limit < ctx->deadline) ctx->deadline = limit;
  if (stop->limit < ctx->due) ctx->due = stop->limit;
}

static bool is_canceled(const cctx *stopper) {
  return atomic_load_explicit(&stopper->stop->canceled, memory_order_acquire);
}

static const cctx *next_stopper(const cctx *stopper) {
  return stopper->parent ? stopper->parent->stopper : NULL;
}

static bool is_any_canceled(const cctx *ctx) {
  const cctx *at = ctx->stopper;
  while (at != NULL && !is_canceled(at)) at = next_stopper(at);
  return at != NULL;
}

struct event cctx__first_canceled(const cctx *ctx) {
  struct event first = {NULL, CCTX_NEVER};
  int64_t delay = 0;
  for (const cctx *at = ctx->stopper; at; at = next_stopper(at)) {
    if (is_canceled(at) && (!first.by || cctx__add(at->stop->time, delay) < first.time))
      first = (struct event){at, cctx__add(at->stop->time, delay)};
    if (at->stop->delay > 0) delay = cctx__add(delay, at->stop->delay);
  }
  return first;
}

const cctx *cctx__deadline_owner(const cctx *ctx) {
  const cctx *at = ctx->stopper;
  int64_t delay = 0;
  if (ctx->due == CCTX_NEVER) return NULL;
  while (at->stop->limit == CCTX_NEVER || cctx__add(at->stop->limit, delay) != ctx->due) {
    if (at->stop->delay > 0) delay = cctx__add(delay, at->stop->delay);
    at = next_stopper(at);
  }
  return at;
}

int64_t cctx__expected(const cctx *ctx) {
  int64_t time = cctx__first_canceled(ctx).time;
  return time < ctx->due ? time : ctx->due;
}

bool cctx__raise(cctx *node, int64_t time, const struct culprit *culprit) {
  struct stop *stop = node->stop;
  if (cctx__expected(node) <= time) return false;
  stop->time = time;
  stop->culprit = *culprit;
  atomic_store_explicit(&stop->canceled, true, memory_order_release);
  return true;
}

/* Why a node is done: `by` canceled it (canceled), or `by` set the deadline that passed. */
struct verdict {
  int status;
  struct event event;
};

/* Under the lock, in which `now` was read. */
static struct verdict judge(const cctx *ctx, int64_t now) {
  struct event canceled = cctx__first_canceled(ctx);
  bool is_over = canceled.by && canceled.time <= now;
  if (ctx->due != CCTX_NEVER && ctx->due <= (is_over ? canceled.time : now))
    return (struct verdict){CCTX_EDEADLINE, {cctx__deadline_owner(ctx), ctx->due}};
  if (is_over) return (struct verdict){CCTX_ECANCELED, canceled};
  return (struct verdict){CCTX_OK, {NULL, 0}};
}

static struct verdict ask(const cctx *ctx) {
  struct verdict verdict = {CCTX_OK, {NULL, 0}};
  if (ctx->stopper == NULL) return verdict;
  if (ctx->due == CCTX_NEVER || cctx_now() < ctx->due)
    if (!is_any_canceled(ctx)) return verdict;
  cctx__lock();
  verdict = judge(ctx, cctx_now());
  cctx__unlock();
  return verdict;
}

int cctx_err(const cctx *ctx) {
  assert(cctx__is_live(ctx) && "cctx_err: no context, or one given back");
  return ask(ctx).status;
}

int cctx_cause(const cctx *ctx, struct cctx_cause *out) {
  struct verdict verdict;
  const struct culprit *who;
  assert(cctx__is_live(ctx) && "cctx_cause: no context, or one given back");
  verdict = ask(ctx);
  *out = (struct cctx_cause){verdict.status, "", "", 0, verdict.event.time};
  if (verdict.event.by == NULL) return CCTX_OK;
  /* What is read here was written before the flag rose, or when the node was made, and
   * is not written again once it counts. */
  who = verdict.status == CCTX_ECANCELED ? &verdict.event.by->stop->culprit
                                         : &verdict.event.by->stop->owner;
  out->message = *who->message ? who->message : cctx_status_message(verdict.status);
  out->file = who->site.file;
  out->line = who->site.line;
  return verdict.status;
}

int cctx__verdict_at(const cctx *ctx, int64_t now) { return judge(ctx, now).status; }

int cctx__verdict(const cctx *ctx) { return cctx__verdict_at(ctx, cctx_now()); }

int64_t cctx_deadline(const cctx *ctx) {
  assert(cctx__is_live(ctx) && "cctx_deadline: no context, or one given back");
  return ctx->deadline;
}

int64_t cctx_remaining(const cctx *ctx) {
  int64_t now;
  assert(cctx__is_live(ctx) && "cctx_remaining: no context, or one given back");
  if (ctx->deadline == CCTX_NEVER) return CCTX_NEVER;
  now = cctx_now();
  if (now < 0 && ctx->deadline > CCTX_NEVER + now) return CCTX_NEVER;
  return ctx->deadline > now ? ctx->deadline - now : 0;
}

bool cctx_can_be_done(const cctx *ctx) {
  assert(cctx__is_live(ctx) && "cctx_can_be_done: no context, or one given back");
  return ctx->stopper != NULL;
}
