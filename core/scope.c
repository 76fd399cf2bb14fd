/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes: their memory, their tokens, and the stack of each thread.
 *
 * A stack is touched by its own thread alone. What another thread may do is end a scope of it
 * and mark it as left; the owner takes marked scopes off when it next pushes, pops, or ends.
 *
 * To end a scope is to raise its generation, which succeeds once. The owner does so without the
 * lock; another thread holds the lock until it has marked the scope, so that the owner who finds
 * a generation raised by somebody else takes the lock once before it frees anything, and
 * knows that the other is done with the scope and the stack.
 */
#include "scope.h"

#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include "lock.h"
#include "memory.h"
#include "pool.h"
#include "strict.h"

static struct pool pool = {.size = sizeof(struct scope)};

/* A thread keeps so many for itself. */
enum { SPARE_MAX = 8 };

_Thread_local struct own cctx__own;
static pthread_key_t at_exit;

/* What strict mode remembers of scopes that have ended: a token that comes too late finds
 * where its scope was attached. A ring, guarded by the lock. */
#define LAST_ENDED 64
static struct {
  cctx_token token;
  struct site site;
} last_ended[LAST_ENDED];

/* Its token is stale from here on: false if it was already. Who ends it may go on to read it. */
static bool expire(struct scope *scope, uint64_t generation) {
  return atomic_compare_exchange_strong(&scope->item.generation, &generation,
                                        generation + 1);
}

/* Of one that the caller has ended. Under the lock. */
static void remember(struct scope *scope, uint64_t generation) {
  static size_t next;
  if (!cctx__is_strict() || scope->site.line == 0) return;
  last_ended[next].token = (cctx_token){scope, generation};
  last_ended[next].site = scope->site;
  next = (next + 1) % LAST_ENDED;
}

/* End one of this thread's, or of no stack. */
static bool end_here(struct scope *scope, uint64_t generation) {
  if (!expire(scope, generation)) return false;
  scope->live = generation + 1;
  if (!cctx__is_strict()) return true;
  cctx__lock();
  remember(scope, generation);
  cctx__unlock();
  return true;
}

/* End all from `top` down to `rest`: their tokens are stale from here on. */
static void retire(struct scope *top, const struct scope *rest) {
  bool ended_elsewhere = false;
  for (; top != rest; top = top->below)
    if (!end_here(top, top->live)) ended_elsewhere = true;
  if (!ended_elsewhere) return;
  cctx__lock();
  cctx__unlock();
}

/* Take everything above `rest` off `stack`, and free it; what is below `alive` has ended before.
 * Giving contexts back may run code that attaches and detaches here: so before that the stack
 * is what it will be, and every scope that goes has ended. */
static void cut(struct cctx_stack *stack, const struct scope *alive, struct scope *rest) {
  struct scope *at = stack->top;
  retire(at, alive);
  stack->top = rest;
  while (at != rest) {
    struct scope *below = at->below;
    cctx *ctx = at->ctx;
    if (atomic_load(&at->left)) atomic_fetch_sub(&stack->left, 1);
    cctx__scope_free(stack, at);
    cctx_unref(ctx);
    at = below;
  }
}

struct scope *cctx__scope_below_left(const struct cctx_stack *stack) {
  struct scope *result = stack->top;
  if (atomic_load(&stack->left) == 0) return result;
  for (struct scope *at = stack->top; at; at = at->below)
    if (atomic_load(&at->left)) result = at->below;
  return result;
}

bool cctx__scope_is_skipped(const struct cctx_stack *stack, const struct scope *scope) {
  const struct scope *rest = cctx__scope_below_left(stack);
  for (const struct scope *at = stack->top; at != rest; at = at->below)
    if (at == scope) return true;
  return false;
}

static void drop_left(struct cctx_stack *stack) {
  struct scope *rest;
  if (atomic_load(&stack->left) == 0) return;
  rest = cctx__scope_below_left(stack);
  cut(stack, rest, rest);
}

static struct scope *take_spare(struct cctx_stack *stack) {
  struct scope *scope = stack->spare;
  stack->spare = scope->below;
  stack->spare_n--;
  return scope;
}

void cctx_stack_free(cctx_stack *stack) {
  if (stack == NULL) return;
  while (stack->top)
    cut(stack, NULL, NULL); /* again for what a release hook did not leave */
  while (stack->spare) {
    struct scope *scope = take_spare(stack);
    cctx__lock();
    cctx__pool_give(&pool, &scope->item);
    cctx__unlock();
  }
  cctx__free(stack);
}

static _Atomic uint64_t left_at_exit;

uint64_t cctx__stacks_left(void) { return atomic_load(&left_at_exit); }

static void note_left(const struct cctx_stack *stack) {
  const struct scope *top = cctx__scope_below_left(stack);
  if (top == NULL) return;
  atomic_fetch_add(&left_at_exit, 1);
  if (cctx__is_strict())
    cctx__misuse("a thread ended with the scope attached at %s:%d still in force",
                 top->site.file, top->site.line);
}

static void drop_stack(void *memory) {
  cctx_stack *stack = memory;
  note_left(stack);
  cut(stack, NULL, NULL); /* while it is still this thread's */
  cctx__own.stack = NULL;
  cctx_stack_free(stack);
}

/* A thread that cannot note it for its end loses it there; a fiber's host frees it anyway. */
cctx_stack *cctx_stack_swap(cctx_stack *stack) {
  cctx_stack *before = cctx__own.stack;
  pthread_setspecific(at_exit, stack);
  cctx__own.stack = stack;
  return before;
}

__attribute__((constructor)) static void make_key(void) {
  pthread_key_create(&at_exit, drop_stack);
}

/* Called again after the thread's clean-up, by another library's destructor, it makes a new
 * stack, for which the system runs drop_stack once more. */
struct cctx_stack *cctx__stack_need(struct own *own) {
  struct cctx_stack *stack = own->stack;
  if (stack) return stack;
  stack = cctx__alloc(sizeof *stack);
  if (stack == NULL) return NULL;
  *stack = (struct cctx_stack){.top = NULL};
  if (pthread_setspecific(at_exit, stack) != 0) {
    cctx__free(stack);
    return NULL;
  }
  return own->stack = stack;
}

struct scope *cctx__scope_new(struct cctx_stack *stack, enum scope_kind kind,
                              cctx_token *token) {
  struct scope *scope;
  *token = (cctx_token){NULL, 0};
  if (stack && stack->spare)
    scope = take_spare(stack);
  else
    scope = (struct scope *)(void *)cctx__pool_take(&pool);
  if (scope == NULL) return NULL;
  atomic_store_explicit(&scope->kind, kind, memory_order_relaxed);
  atomic_store_explicit(&scope->stack, NULL, memory_order_relaxed);
  atomic_store_explicit(&scope->left, false, memory_order_relaxed);
  scope->live = scope->item.generation;
  memset(&scope->below, 0, offsetof(struct scope, site) - offsetof(struct scope, below));
  scope->site.file[0] = '\0';
  scope->site.line = 0;
  *token = (cctx_token){scope, scope->live};
  return scope;
}

void cctx__scope_push(struct cctx_stack *stack, struct scope *scope) {
  drop_left(stack);
  atomic_store_explicit(&scope->stack, stack, memory_order_relaxed);
  scope->below = stack->top;
  stack->top = scope;
}

/* End a scope of another thread's stack, whose thread waits for the lock before it frees it. */
static bool end_elsewhere(struct scope *scope, uint64_t generation) {
  bool in_use;
  cctx__lock();
  in_use = expire(scope, generation);
  if (in_use) {
    struct cctx_stack *stack = scope->stack;
    remember(scope, generation);
    atomic_store(&scope->left, true);
    atomic_fetch_add(&stack->left, 1);
  }
  cctx__unlock();
  return in_use;
}

/* Of a token that is stale the stack may be any: then it cannot be ended on any way. */
bool cctx__scope_end(const cctx_token *token, struct cctx_stack *stack,
                     struct scope **mine) {
  struct scope *scope = token->scope;
  struct cctx_stack *on;
  *mine = NULL;
  if (scope == NULL) return false;
  on = atomic_load_explicit(&scope->stack, memory_order_relaxed);
  if (on != NULL && on != stack) return end_elsewhere(scope, token->generation);
  if (!end_here(scope, token->generation)) return false;
  *mine = scope;
  return true;
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
  cut(stack, scope, scope->below);
  drop_left(stack);
}

void cctx__scope_unlink(struct cctx_stack *stack, struct scope *scope) {
  struct scope **link = &stack->top;
  while (*link != scope) link = &(*link)->below;
  *link = scope->below;
  cctx__scope_free(stack, scope);
  drop_left(stack);
}

void cctx__scope_free(struct cctx_stack *stack, struct scope *scope) {
  atomic_store_explicit(&scope->kind, SCOPE_FREE, memory_order_relaxed);
  atomic_store_explicit(&scope->stack, NULL, memory_order_relaxed);
  if (stack && stack->spare_n < SPARE_MAX) {
    scope->below = stack->spare;
    stack->spare = scope;
    stack->spare_n++;
    return;
  }
  cctx__lock();
  cctx__pool_give(&pool, &scope->item);
  cctx__unlock();
}

void cctx__scope_discard(struct scope *scope) {
  scope->item.generation++;
  scope->kind = SCOPE_FREE;
  cctx__pool_give(&pool, &scope->item);
}
