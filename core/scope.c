/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes: their memory, their tokens, and the stack of each thread.
 *
 * A stack is touched by its own thread alone. What another thread may do is end a scope of it
 * (generation, under the lock) and mark it as left; the owner takes marked scopes off when
 * it next pushes, pops, or ends.
 */
#include "scope.h"

#include <pthread.h>

#include "lock.h"
#include "memory.h"
#include "pool.h"
#include "strict.h"

static struct pool pool = {.size = sizeof(struct scope)};

static _Thread_local struct cctx_stack *this_stack;
static pthread_key_t at_exit;

/* What strict mode remembers of scopes that have ended: a token that comes too late finds
 * where its scope was attached. A ring, guarded by the lock. */
#define LAST_ENDED 64
static struct {
  cctx_token token;
  struct site site;
} last_ended[LAST_ENDED];

/* Under the lock: no token of `scope` is good from here on. */
static void expire(struct scope *scope) {
  static size_t next;
  if (cctx__is_strict() && scope->site.line) {
    last_ended[next].token = (cctx_token){scope, scope->item.generation};
    last_ended[next].site = scope->site;
    next = (next + 1) % LAST_ENDED;
  }
  scope->item.generation++;
}

/* End all from `top` down to `rest`: their tokens are stale from here on. */
static void retire(struct scope *top, const struct scope *rest) {
  cctx__lock();
  for (; top != rest; top = top->below) expire(top);
  cctx__unlock();
}

/* Take everything above `rest` off `stack`, and free it. Giving contexts back may run code that
 * attaches and detaches here: so before that the stack is what it will be, and every scope
 * that goes has ended. */
static void cut(struct cctx_stack *stack, struct scope *rest) {
  struct scope *at = stack->top;
  retire(at, rest);
  stack->top = rest;
  while (at != rest) {
    struct scope *below = at->below;
    cctx *ctx = at->ctx;
    if (atomic_load(&at->left)) atomic_fetch_sub(&stack->left, 1);
    cctx__scope_free(at);
    cctx_unref(ctx);
    at = below;
  }
}

/* What is below the lowest scope that was left elsewhere: that one ended, and whatever was
 * attached inside it. */
static struct scope *below_left(const struct cctx_stack *stack) {
  struct scope *result = stack->top;
  if (atomic_load(&stack->left) == 0) return result;
  for (struct scope *at = stack->top; at; at = at->below)
    if (atomic_load(&at->left)) result = at->below;
  return result;
}

bool cctx__scope_is_skipped(const struct cctx_stack *stack, const struct scope *scope) {
  const struct scope *rest = below_left(stack);
  for (const struct scope *at = stack->top; at != rest; at = at->below)
    if (at == scope) return true;
  return false;
}

static void drop_left(struct cctx_stack *stack) { cut(stack, below_left(stack)); }

void cctx_stack_free(cctx_stack *stack) {
  if (stack == NULL) return;
  while (stack->top) cut(stack, NULL); /* again for what a release hook did not leave */
  cctx__free(stack);
}

static _Atomic uint64_t left_at_exit;

uint64_t cctx__stacks_left(void) { return atomic_load(&left_at_exit); }

static void note_left(const struct cctx_stack *stack) {
  const struct scope *top = below_left(stack);
  if (top == NULL) return;
  atomic_fetch_add(&left_at_exit, 1);
  if (cctx__is_strict())
    cctx__misuse("a thread ended with the scope attached at %s:%d still in force",
                 top->site.file, top->site.line);
}

static void drop_stack(void *memory) {
  cctx_stack *stack = memory;
  note_left(stack);
  cut(stack, NULL); /* while it is still this thread's */
  this_stack = NULL;
  cctx_stack_free(stack);
}

/* A thread that cannot note it for its end loses it there; a fiber's host frees it anyway. */
cctx_stack *cctx_stack_swap(cctx_stack *stack) {
  cctx_stack *before = this_stack;
  pthread_setspecific(at_exit, stack);
  this_stack = stack;
  return before;
}

__attribute__((constructor)) static void make_key(void) {
  pthread_key_create(&at_exit, drop_stack);
}

/* Called again after the thread's clean-up, by another library's destructor, it makes a new
 * stack, for which the system runs drop_stack once more. */
struct cctx_stack *cctx__stack(bool make) {
  if (this_stack == NULL && make) {
    struct cctx_stack *stack = cctx__alloc(sizeof *stack);
    if (stack == NULL) return NULL;
    stack->top = NULL;
    atomic_init(&stack->left, 0);
    if (pthread_setspecific(at_exit, stack) != 0) {
      cctx__free(stack);
      return NULL;
    }
    this_stack = stack;
  }
  return this_stack;
}

struct scope *cctx__scope_new(enum scope_kind kind, cctx_token *token) {
  struct scope *scope;
  *token = (cctx_token){NULL, 0};
  scope = (struct scope *)(void *)cctx__pool_take(&pool);
  if (scope == NULL) return NULL;
  scope->kind = kind;
  scope->stack = NULL;
  scope->below = NULL;
  scope->ctx = NULL;
  scope->tag = NULL;
  scope->handed_over = false;
  scope->stamp = 0;
  scope->place = (struct cctx_place){0, NULL, 0};
  atomic_store(&scope->left, false);
  scope->variable = NULL;
  cctx__site_set(&scope->site, NULL, 0);
  *token = (cctx_token){scope, scope->item.generation};
  return scope;
}

void cctx__scope_push(struct cctx_stack *stack, struct scope *scope) {
  drop_left(stack);
  scope->stack = stack;
  scope->below = stack->top;
  stack->top = scope;
}

bool cctx__scope_end(const cctx_token *token, struct cctx_stack *stack,
                     struct scope **mine) {
  struct scope *scope = token->scope;
  bool in_use;
  *mine = NULL;
  if (scope == NULL) return false;
  cctx__lock();
  in_use = scope->item.generation == token->generation;
  if (in_use) {
    expire(scope);
    if (scope->stack == NULL || scope->stack == stack)
      *mine = scope;
    else {
      atomic_store(&scope->left, true);
      atomic_fetch_add(&scope->stack->left, 1);
    }
  }
  cctx__unlock();
  return in_use;
}

enum scope_kind cctx__scope_kind(const cctx_token *token) {
  const struct scope *scope = token->scope;
  enum scope_kind kind = SCOPE_FREE;
  if (scope == NULL) return kind;
  cctx__lock();
  if (scope->item.generation == token->generation) kind = scope->kind;
  cctx__unlock();
  return kind;
}

void cctx__scope_site(const cctx_token *token, struct site *out) {
  cctx__site_set(out, NULL, 0);
  cctx__lock();
  for (size_t i = 0; i < LAST_ENDED; i++)
    if (last_ended[i].token.scope == token->scope &&
        last_ended[i].token.generation == token->generation)
      *out = last_ended[i].site;
  cctx__unlock();
}

void cctx__scope_pop(struct cctx_stack *stack, struct scope *scope) {
  cut(stack, scope->below);
  drop_left(stack);
}

void cctx__scope_unlink(struct cctx_stack *stack, struct scope *scope) {
  struct scope **link = &stack->top;
  while (*link != scope) link = &(*link)->below;
  *link = scope->below;
  cctx__scope_free(scope);
  drop_left(stack);
}

void cctx__scope_free(struct scope *scope) {
  cctx__lock();
  scope->kind = SCOPE_FREE;
  scope->stack = NULL;
  cctx__pool_give(&pool, &scope->item);
  cctx__unlock();
}

void cctx__scope_discard(struct scope *scope) {
  scope->item.generation++;
  scope->kind = SCOPE_FREE;
  cctx__pool_give(&pool, &scope->item);
}

struct scope *cctx__scope_top(const struct cctx_stack *stack) {
  return stack ? below_left(stack) : NULL;
}
