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
 *   the interpreter still stands at e's place   e
 *   otherwise                               background: it cannot be known
 *
 * docs/current.md has the table of all cases. A rule that answers more is easy to write, and
 * gives one request's context to another.
 */
#include <assert.h>
#include <stdatomic.h>

#include "context.h"
#include "interpreter.h"
#include "scope.h"

static _Atomic uint64_t stamp;
static _Atomic uint64_t stale_detaches;

struct answer {
  cctx *ctx;
  const void *tag;
  bool by_place; /* the stack's scope, because the interpreter still stands there */
};

static struct answer from_variable(const struct cctx_sight *sight) {
  if (sight->ctx) return (struct answer){sight->ctx, sight->tag, false};
  return (struct answer){cctx_background(), NULL, false};
}

static struct answer decide(const struct scope *e, const struct cctx_sight *sight) {
  bool has_variable = sight->ctx != NULL;
  if (e == NULL || e->kind == SCOPE_ASK) return from_variable(sight);
  if (e->place.thread == 0)
    return has_variable ? from_variable(sight) : (struct answer){e->ctx, e->tag, false};
  if (has_variable && sight->stamp >= e->stamp) return from_variable(sight);
  if (cctx__same_place(&e->place, sight)) return (struct answer){e->ctx, e->tag, true};
  return (struct answer){cctx_background(), NULL, false};
}

/* `ref`: take a reference while the interpreter cannot go away. */
static struct answer answer(bool ref) {
  struct cctx_sight sight;
  const struct cctx_interpreter *hook = cctx__look(&sight);
  struct answer answer = decide(cctx__scope_top(cctx__stack(false)), &sight);
  if (ref) cctx_ref(answer.ctx);
  if (hook) cctx__look_done();
  return answer;
}

cctx *cctx_current(void) { return answer(false).ctx; }

cctx *cctx_current_ref(void) { return answer(true).ctx; }

const void *cctx_current_tag(void) { return answer(false).tag; }

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

static int attach_stack(cctx *ctx, const void *tag, const struct cctx_sight *sight,
                        cctx_token *token) {
  struct stack *stack = cctx__stack(true);
  struct scope *scope = stack ? cctx__scope_new(SCOPE_STACK, token) : NULL;
  if (scope == NULL) return CCTX_ENOMEM;
  scope->ctx = cctx_ref(ctx);
  scope->tag = tag;
  scope->stamp = atomic_fetch_add(&stamp, 1) + 1;
  scope->place = sight->place;
  cctx__scope_push(stack, scope);
  return CCTX_OK;
}

int cctx_attach_tagged(cctx *ctx, const void *tag, cctx_token *token) {
  struct cctx_sight sight;
  const struct cctx_interpreter *hook = cctx__look(&sight);
  int status;
  assert(ctx != NULL && "cctx_attach: no context");
  *token = (cctx_token){NULL, 0};
  status = hook && sight.writable ? attach_variable(hook, ctx, tag, token)
                                  : attach_stack(ctx, tag, &sight, token);
  if (hook) cctx__look_done();
  return status;
}

int cctx_attach(cctx *ctx, cctx_token *token) {
  return cctx_attach_tagged(ctx, NULL, token);
}

static int leave_variable(struct scope *scope) {
  struct cctx_sight sight;
  const struct cctx_interpreter *hook = cctx__look(&sight);
  /* Without its interpreter the handle is nobody's memory any more. */
  int status = hook ? hook->leave(scope->variable) : CCTX_OK;
  if (hook) cctx__look_done();
  cctx__scope_free(scope);
  return status;
}

static int stale(void) {
  atomic_fetch_add(&stale_detaches, 1);
  return CCTX_ESTALE;
}

int cctx_detach(cctx_token *token) {
  struct stack *stack = cctx__stack(false);
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

int cctx_boundary_enter(cctx_token *token) {
  struct stack *stack = cctx__stack(true);
  struct scope *ask, *below;
  struct cctx_sight sight;
  const struct cctx_interpreter *hook;
  *token = (cctx_token){NULL, 0};
  ask = stack ? cctx__scope_new(SCOPE_ASK, token) : NULL;
  if (ask == NULL) return CCTX_ENOMEM;
  hook = cctx__look(&sight);
  below = cctx__scope_top(stack);
  if (below && decide(below, &sight).by_place) ask->retake = below;
  if (hook) cctx__look_done();
  cctx__scope_push(stack, ask);
  return CCTX_OK;
}

/* The scopes below a mark stay as long as the mark does, so the pointer is good if it
 * is still found; it may have been left from another thread meanwhile. */
static void retake_place(const struct scope *ask) {
  struct cctx_sight sight;
  struct scope *scope = ask->below;
  while (scope && scope != ask->retake) scope = scope->below;
  if (scope == NULL) return;
  if (cctx__look(&sight)) {
    scope->place = sight.place;
    cctx__look_done();
  }
}

int cctx_boundary_leave(cctx_token *token) {
  struct stack *stack = cctx__stack(false);
  struct scope *ask;
  if (token->scope == NULL) return CCTX_ESTALE;
  if (!cctx__scope_end(token, stack, &ask)) return stale();
  if (ask == NULL) return CCTX_OK;
  if (ask->retake) retake_place(ask);
  cctx__scope_unlink(stack, ask);
  return CCTX_OK;
}
