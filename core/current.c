/* SPDX-License-Identifier: Apache-2.0 */
/* The current context: who sees what.
 *
 * Two places can say what a thread works for: the stack of scopes that C code pushed on it,
 * and the variable of the interpreter that runs on it, which goes with tasks and greenlets as
 * the interpreter switches them. The interpreter switches behind our back, so a scope on
 * the stack notes its place, where the interpreter stood; and both note their time: a stack
 * scope raises the stamp, a variable scope reads it.
 *
 *   e: the highest scope of the stack, unless that is the mark ASK; v: the variable.
 *
 *   no e                                    v, else background
 *   e older than the thread's first state   v, else e
 *   v not older than e                      v
 *   the interpreter has not switched since e    e
 *   otherwise                               background: it cannot be known
 *
 * Where v cannot be read it may be set, or newer than e: then e answers only if this thread has
 * not written the variable since, and background where that does not tell.
 *
 * A scope that is not handed over answers background once the request of its context has ended.
 *
 * docs/current.md has the table of all cases. A rule that answers more is easy to write, and
 * gives one request's context to another.
 */
#include <assert.h>
#include <stdatomic.h>

#include "current.h"

#include "context.h"
#include "interpreter.h"
#include "log.h"
#include "mark.h"
#include "strict.h"

static _Atomic uint64_t stamp;
static _Atomic uint64_t stale_detaches;

struct answer {
  cctx *ctx;
  const void *tag;
  bool handed_over;
  enum cctx_current_status status;
};

static inline struct answer background(enum cctx_current_status status) {
  return (struct answer){cctx_background(), NULL, false, status};
}

static struct answer from_variable(const struct cctx_sight *sight) {
  if (sight->ctx == NULL) return background(CCTX_CURRENT_NONE);
  return (struct answer){sight->ctx, sight->tag, sight->handed_over, CCTX_CURRENT_ATTACHED};
}

static inline struct answer from_scope(const struct scope *scope) {
  return (struct answer){scope->ctx, scope->tag, scope->handed_over, CCTX_CURRENT_ATTACHED};
}

/* The call that pushed the mark would have written the variable after what is below it. If it is
 * older here, in a Context in which something below was pushed, the call is another greenlet's. */
static bool is_anothers_mark(const struct scope *mark, const struct cctx_sight *sight) {
  if (sight->ctx == NULL) return false;
  for (const struct scope *below = mark; below; below = below->below)
    if (below->kind == SCOPE_STACK && sight->stamp < below->stamp &&
        below->place.thread == sight->place.thread &&
        below->place.context == sight->place.context)
      return true;
  return false;
}

static struct answer decide(const struct scope *e, const struct cctx_sight *sight) {
  bool has_variable = sight->ctx != NULL;
  bool has_unknown = sight->state != CCTX_SIGHT_NONE && !sight->known;
  if (e == NULL || e->kind == SCOPE_ASK)
    return has_unknown || is_anothers_mark(e, sight) ? background(CCTX_CURRENT_UNKNOWN)
                                                     : from_variable(sight);
  if (e->place.thread == 0) {
    if (has_unknown) return background(CCTX_CURRENT_UNKNOWN);
    return has_variable ? from_variable(sight) : from_scope(e);
  }
  if (has_variable && sight->stamp >= e->stamp) return from_variable(sight);
  if (has_unknown && e->writes != cctx__own.variable_writes)
    return background(CCTX_CURRENT_UNKNOWN);
  if (cctx__same_place(&e->place, &sight->place)) return from_scope(e);
  return background(CCTX_CURRENT_UNKNOWN);
}

static struct answer found(const struct cctx_sight *sight) {
  if (cctx__own.muted) return background(CCTX_CURRENT_UNKNOWN);
  return decide(cctx__scope_top(cctx__own.stack), sight);
}

/* What was inherited lasts as long as its request. */
static inline struct answer settle(struct answer found) {
  if (!found.handed_over && cctx__mark_has_ended(found.ctx->mark))
    return background(CCTX_CURRENT_ENDED);
  return found;
}

/* The same as `decide` where there is no interpreter to look at, and so no sight. */
static inline struct answer decide_alone(const struct own *own) {
  const struct scope *e = cctx__scope_top(own->stack);
  if (own->muted) return background(CCTX_CURRENT_UNKNOWN);
  if (e == NULL || e->kind == SCOPE_ASK) return background(CCTX_CURRENT_NONE);
  return e->place.thread == 0 ? from_scope(e) : background(CCTX_CURRENT_UNKNOWN);
}

/* What a thread without the interpreter's lock sees is good until the interpreter exits, which
 * waits for the end of the look. */
__attribute__((noinline)) static struct answer answer_of_both(void) {
  struct cctx_sight sight;
  const struct cctx_interpreter *hook = cctx__look_begin(&sight);
  struct answer now = settle(found(&sight));
  cctx__look_end(hook);
  return now;
}

static inline struct answer answer(void) {
  return cctx__looks_alone() ? settle(decide_alone(cctx__own_found())) : answer_of_both();
}

cctx *cctx_current(void) { return answer().ctx; }

cctx *cctx_current_ref(void) {
  struct cctx_sight sight;
  const struct cctx_interpreter *hook;
  cctx *ctx;
  if (cctx__looks_alone()) return cctx_ref(cctx_current());
  hook = cctx__look_begin(&sight);
  ctx = cctx_ref(settle(found(&sight)).ctx);
  cctx__look_end(hook);
  return ctx;
}

int cctx_current_status(void) { return (int)answer().status; }

void cctx_current_origin(struct cctx_origin *out) {
  struct cctx_sight sight;
  struct answer now;
  cctx__look(&sight);
  now = found(&sight);
  *out = (struct cctx_origin){.tag = now.tag};
  if (now.status == CCTX_CURRENT_ATTACHED)
    out->lifetime = now.handed_over ? CCTX_HANDED_OVER : CCTX_INHERITED;
}

uint64_t cctx_stale_detaches(void) { return atomic_load(&stale_detaches); }

static bool bears(const cctx *ctx, const struct mark *mark) {
  const struct mark *at = ctx->mark;
  while (at && at != mark) at = at->outer;
  return at != NULL;
}

/* Whether both work for one request, or one for a request inside the other's. */
static bool are_of_one_request(const cctx *a, const cctx *b) {
  return bears(a, b->mark) || bears(b, a->mark);
}

static bool is_handed_over(const struct own *own, const cctx *ctx,
                           enum cctx_lifetime lifetime, const struct cctx_sight *sight) {
  const struct scope *outside = cctx__scope_top(own->stack);
  struct answer now;
  if (lifetime != CCTX_LIFETIME_AUTO) return lifetime == CCTX_HANDED_OVER;
  if (cctx_has_ended(ctx)) return true;
  while (outside && outside->kind == SCOPE_ASK) outside = outside->below; /* the caller's */
  now = decide(outside, sight);
  if (now.status == CCTX_CURRENT_UNKNOWN) return false; /* it ends the sooner */
  return !are_of_one_request(ctx, now.ctx) || now.handed_over;
}

static int attach_variable(const struct cctx_interpreter *hook, cctx *ctx,
                           const struct cctx_origin *origin, bool handed_over,
                           cctx_token *token) {
  struct scope *scope = cctx__scope_new(cctx__own.stack, SCOPE_VARIABLE, token);
  int status;
  if (scope == NULL) return CCTX_ENOMEM;
  if (cctx__is_strict()) cctx__site_set(&scope->site, origin->file, origin->line);
  cctx__own.variable_writes++;
  status =
      hook->attach(ctx, atomic_load(&stamp), origin->tag, handed_over, &scope->variable);
  if (status != CCTX_OK) {
    struct scope *mine;
    cctx__scope_end(token, NULL, &mine);
    cctx__scope_free(NULL, mine);
    *token = (cctx_token){NULL, 0};
  }
  return status;
}

static void push(struct own *own, struct scope *scope, cctx *ctx,
                 const struct cctx_sight *sight) {
  scope->ctx = cctx_ref(ctx);
  scope->stamp = atomic_fetch_add(&stamp, 1) + 1;
  scope->place = sight->place;
  scope->writes = own->variable_writes;
  cctx__scope_push(own->stack, scope);
}

static int attach_stack(struct own *own, cctx *ctx, const struct cctx_origin *origin,
                        bool handed_over, const struct cctx_sight *sight,
                        cctx_token *token) {
  struct cctx_stack *stack = cctx__stack_need(own);
  struct scope *scope = stack ? cctx__scope_new(stack, SCOPE_STACK, token) : NULL;
  if (scope == NULL) return CCTX_ENOMEM;
  scope->tag = origin->tag;
  scope->handed_over = handed_over;
  if (cctx__is_strict()) cctx__site_set(&scope->site, origin->file, origin->line);
  push(own, scope, ctx, sight);
  return CCTX_OK;
}

bool cctx__enter_background(struct scope *scope) {
  struct own *own = cctx__own_found();
  struct cctx_sight sight;
  if (cctx__stack_need(own) == NULL) return false;
  cctx__look(&sight);
  push(own, scope, cctx_background(), &sight);
  return true;
}

int cctx_attach_as(cctx *ctx, const struct cctx_origin *origin, cctx_token *token) {
  struct own *own = cctx__own_found();
  struct cctx_sight sight;
  const struct cctx_interpreter *hook;
  bool handed_over;
  assert(cctx__is_live(ctx) && "cctx_attach: no context, or one given back");
  *token = (cctx_token){NULL, 0};
  hook = cctx__look_begin(&sight);
  handed_over = is_handed_over(own, ctx, origin->lifetime, &sight);
  cctx__look_end(hook);
  if (hook && sight.writable) return attach_variable(hook, ctx, origin, handed_over, token);
  return attach_stack(own, ctx, origin, handed_over, &sight, token);
}

int cctx_attach_at(cctx *ctx, cctx_token *token, const char *file, int line) {
  struct cctx_origin origin = {.file = file, .line = line};
  return cctx_attach_as(ctx, &origin, token);
}

int cctx_attach_background(cctx_token *token) {
  struct cctx_sight sight;
  cctx__look(&sight);
  *token = (cctx_token){NULL, 0};
  return attach_stack(cctx__own_found(), cctx_background(),
                      &(struct cctx_origin){.tag = NULL}, false, &sight, token);
}

static int leave_variable(struct scope *scope) {
  struct cctx_sight sight;
  const struct cctx_interpreter *hook = cctx__look(&sight);
  /* Without its interpreter the handle is nobody's memory any more. */
  int status = hook ? hook->leave(scope->variable) : CCTX_OK;
  cctx__scope_free(cctx__own.stack, scope);
  return status;
}

void cctx__call_for_nobody(void (*fn)(void *), void *arg) {
  struct cctx_stack *stack;
  struct scope *scope;
  cctx_token token = {NULL, 0};
  bool needed = answer().status != CCTX_CURRENT_NONE;
  bool attached = needed && cctx_attach_background(&token) == CCTX_OK;
  if (needed && !attached) cctx__own.muted++;
  fn(arg);
  if (needed && !attached) cctx__own.muted--;
  stack = cctx__own.stack;
  /* It may have left a scope outside it, and this one with it: nobody's mistake. */
  if (attached && cctx__scope_end(&token, stack, &scope) && scope)
    cctx__scope_pop(stack, scope);
}

static int stale(const cctx_token *token, const char *file, int line) {
  struct site attached;
  atomic_fetch_add(&stale_detaches, 1);
  if (!cctx__is_strict()) {
    cctx__log(
        "a detach found its scope ended: it was detached before, or one outside it was");
    return CCTX_ESTALE;
  }
  cctx__scope_site(token, &attached);
  cctx__misuse(
      "the scope attached at %s:%d had ended when it was detached at %s:%d: it was "
      "detached before, or one outside it was",
      attached.file, attached.line, file, line);
  return CCTX_ESTALE;
}

/* Greenlets that share a thread pop each other's scopes by depth: those have another place. */
static void report_left_inside(const struct cctx_stack *stack, const struct scope *scope,
                               const char *file, int line) {
  for (const struct scope *at = stack->top; at && at != scope; at = at->below)
    if (at->kind == SCOPE_STACK && !atomic_load(&at->left) &&
        at->place.thread == scope->place.thread &&
        at->place.version == scope->place.version)
      cctx__misuse(
          "the scope attached at %s:%d was detached at %s:%d before the one inside "
          "it, attached at %s:%d",
          scope->site.file, scope->site.line, file, line, at->site.file, at->site.line);
}

int cctx_detach_at(cctx_token *token, const char *file, int line) {
  struct cctx_stack *stack = cctx__own.stack;
  struct scope *scope;
  bool skipped;
  if (token->scope == NULL) return CCTX_ESTALE; /* of an attach that failed */
  if (!cctx__scope_end(token, stack, &scope)) return stale(token, file, line);
  if (scope == NULL) return CCTX_OK;
  if (scope->kind == SCOPE_VARIABLE)
    return leave_variable(scope) == CCTX_OK ? CCTX_OK : stale(token, file, line);
  if (cctx__is_strict()) report_left_inside(stack, scope, file, line);
  /* Ended by who left one outside it elsewhere: not this bracket's mistake, so not counted. */
  skipped = cctx__scope_is_skipped(stack, scope);
  cctx__scope_pop(stack, scope);
  return skipped ? CCTX_ESTALE : CCTX_OK;
}

void cctx_forget(cctx_token *token) {
  const struct cctx_interpreter *hook;
  struct cctx_sight sight;
  struct scope *scope;
  if (cctx__scope_kind(token) != SCOPE_VARIABLE) return;
  if (!cctx__scope_end(token, NULL, &scope)) return;
  hook = cctx__look(&sight);
  if (hook) hook->forget(scope->variable);
  cctx__scope_free(cctx__own.stack, scope);
}

int cctx_boundary_enter(cctx_token *token) {
  struct cctx_stack *stack = cctx__stack_need(cctx__own_found());
  struct scope *ask;
  struct cctx_sight sight;
  *token = (cctx_token){NULL, 0};
  ask = stack ? cctx__scope_new(stack, SCOPE_ASK, token) : NULL;
  if (ask == NULL) return CCTX_ENOMEM;
  cctx__look(&sight);
  ask->place = sight.place;
  ask->writes = cctx__own.variable_writes;
  cctx__scope_push(stack, ask);
  return CCTX_OK;
}

/* The interpreter has come back to the Context from which C called it, and which the call kept
 * alive, but counts another version, and the call has left what it wrote there. Whatever stood
 * at its place before the call does so after it; if it is somewhere else, nothing does. */
static void renew_places(const struct scope *ask) {
  struct cctx_sight sight;
  if (cctx__look(&sight) == NULL || sight.place.thread != ask->place.thread ||
      sight.place.context != ask->place.context)
    return;
  for (struct scope *scope = ask->below; scope; scope = scope->below) {
    bool newer = sight.ctx && sight.stamp >= scope->stamp; /* what the call did not leave */
    if (!cctx__same_place(&scope->place, &ask->place)) continue;
    scope->place = sight.place;
    if (scope->writes == ask->writes && !newer) scope->writes = cctx__own.variable_writes;
  }
}

int cctx_boundary_leave(cctx_token *token) {
  struct cctx_stack *stack = cctx__own.stack;
  struct scope *ask;
  if (token->scope == NULL) return CCTX_ESTALE;
  if (!cctx__scope_end(token, stack, &ask)) return stale(token, NULL, 0);
  if (ask == NULL) return CCTX_OK;
  renew_places(ask);
  cctx__scope_unlink(stack, ask);
  return CCTX_OK;
}
