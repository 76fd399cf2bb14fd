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
 * docs/current.md has the table of all cases. A rule that answers more is easy to write, and
 * gives one request's context to another.
 */
#include <assert.h>
#include <stdatomic.h>

#include "current.h"

#include "context.h"
#include "interpreter.h"
#include "log.h"

static _Atomic uint64_t stamp;
static _Atomic uint64_t stale_detaches;

struct answer {
  cctx *ctx;
  const void *tag;
};

static struct answer from_variable(const struct cctx_sight *sight) {
  if (sight->ctx) return (struct answer){sight->ctx, sight->tag};
  return (struct answer){cctx_background(), NULL};
}

static struct answer decide(const struct scope *e, const struct cctx_sight *sight) {
  bool has_variable = sight->ctx != NULL;
  if (e == NULL || e->kind == SCOPE_ASK) return from_variable(sight);
  if (e->place.thread == 0)
    return has_variable ? from_variable(sight) : (struct answer){e->ctx, e->tag};
  if (has_variable && sight->stamp >= e->stamp) return from_variable(sight);
  if (cctx__same_place(&e->place, &sight->place)) return (struct answer){e->ctx, e->tag};
  return (struct answer){cctx_background(), NULL};
}

static struct answer answer(void) {
  struct cctx_sight sight;
  cctx__look(&sight);
  return decide(cctx__scope_top(cctx__stack(false)), &sight);
}

cctx *cctx_current(void) { return answer().ctx; }

cctx *cctx_current_ref(void) { return cctx_ref(answer().ctx); }

const void *cctx_current_tag(void) { return answer().tag; }

uint64_t cctx_stale_detaches(void) { return atomic_load(&stale_detaches); }

static int attach_variable(const struct cctx_interpreter *hook, cctx *ctx, const void *tag,
                           cctx_token *token) {
  struct scope *scope = cctx__scope_new(SCOPE_VARIABLE, token);
  int status;
  if (scope == NULL) return CCTX_ENOMEM;
  status = hook->attach(ctx, atomic_load(&stamp), tag, &scope->variable);
  if (status != CCTX_OK) {
    struct scope *mine;
    cctx__scope_end(token, NULL, &mine);
    cctx__scope_free(mine);
    *token = (cctx_token){NULL, 0};
  }
  return status;
}

static void push(struct cctx_stack *stack, struct scope *scope, cctx *ctx, const void *tag,
                 const struct cctx_sight *sight) {
  scope->ctx = cctx_ref(ctx);
  scope->tag = tag;
  scope->stamp = atomic_fetch_add(&stamp, 1) + 1;
  scope->place = sight->place;
  cctx__scope_push(stack, scope);
}

static int attach_stack(cctx *ctx, const void *tag, const struct cctx_sight *sight,
                        cctx_token *token) {
  struct cctx_stack *stack = cctx__stack(true);
  struct scope *scope = stack ? cctx__scope_new(SCOPE_STACK, token) : NULL;
  if (scope == NULL) return CCTX_ENOMEM;
  push(stack, scope, ctx, tag, sight);
  return CCTX_OK;
}

bool cctx__enter_background(struct scope *scope) {
  struct cctx_stack *stack = cctx__stack(true);
  struct cctx_sight sight;
  if (stack == NULL) return false;
  cctx__look(&sight);
  push(stack, scope, cctx_background(), NULL, &sight);
  return true;
}

int cctx_attach_tagged(cctx *ctx, const void *tag, cctx_token *token) {
  struct cctx_sight sight;
  const struct cctx_interpreter *hook = cctx__look(&sight);
  assert(cctx__is_live(ctx) && "cctx_attach: no context, or one given back");
  *token = (cctx_token){NULL, 0};
  if (hook && sight.writable) return attach_variable(hook, ctx, tag, token);
  return attach_stack(ctx, tag, &sight, token);
}

int cctx_attach(cctx *ctx, cctx_token *token) {
  return cctx_attach_tagged(ctx, NULL, token);
}

int cctx_attach_background(cctx_token *token) {
  struct cctx_sight sight;
  cctx__look(&sight);
  *token = (cctx_token){NULL, 0};
  return attach_stack(cctx_background(), NULL, &sight, token);
}

static int leave_variable(struct scope *scope) {
  struct cctx_sight sight;
  const struct cctx_interpreter *hook = cctx__look(&sight);
  /* Without its interpreter the handle is nobody's memory any more. */
  int status = hook ? hook->leave(scope->variable) : CCTX_OK;
  cctx__scope_free(scope);
  return status;
}

static int stale(void) {
  atomic_fetch_add(&stale_detaches, 1);
  cctx__log(
      "a detach found its scope ended: it was detached before, or one outside it was");
  return CCTX_ESTALE;
}

int cctx_detach(cctx_token *token) {
  struct cctx_stack *stack = cctx__stack(false);
  struct scope *scope;
  if (token->scope == NULL) return CCTX_ESTALE; /* of an attach that failed */
  if (!cctx__scope_end(token, stack, &scope)) return stale();
  if (scope == NULL) return CCTX_OK;
  if (scope->kind != SCOPE_VARIABLE)
    cctx__scope_pop(stack, scope);
  else if (leave_variable(scope) != CCTX_OK)
    return stale();
  return CCTX_OK;
}

void cctx_forget(cctx_token *token) {
  const struct cctx_interpreter *hook;
  struct cctx_sight sight;
  struct scope *scope;
  if (cctx__scope_kind(token) != SCOPE_VARIABLE) return;
  if (!cctx__scope_end(token, NULL, &scope)) return;
  hook = cctx__look(&sight);
  if (hook) hook->forget(scope->variable);
  cctx__scope_free(scope);
}

int cctx_boundary_enter(cctx_token *token) {
  struct cctx_stack *stack = cctx__stack(true);
  struct scope *ask;
  struct cctx_sight sight;
  *token = (cctx_token){NULL, 0};
  ask = stack ? cctx__scope_new(SCOPE_ASK, token) : NULL;
  if (ask == NULL) return CCTX_ENOMEM;
  cctx__look(&sight);
  ask->place = sight.place;
  cctx__scope_push(stack, ask);
  return CCTX_OK;
}

/* The interpreter has come back to the Context from which C called it, and which the call kept
 * alive, but counts another version. Whatever stood at its place before the call does so
 * after it; if it is somewhere else, nothing does. */
static void renew_places(const struct scope *ask) {
  struct cctx_sight sight;
  if (cctx__look(&sight) == NULL || sight.place.thread != ask->place.thread ||
      sight.place.context != ask->place.context)
    return;
  for (struct scope *scope = ask->below; scope; scope = scope->below)
    if (cctx__same_place(&scope->place, &ask->place)) scope->place = sight.place;
}

int cctx_boundary_leave(cctx_token *token) {
  struct cctx_stack *stack = cctx__stack(false);
  struct scope *ask;
  if (token->scope == NULL) return CCTX_ESTALE;
  if (!cctx__scope_end(token, stack, &ask)) return stale();
  if (ask == NULL) return CCTX_OK;
  renew_places(ask);
  cctx__scope_unlink(stack, ask);
  return CCTX_OK;
}
