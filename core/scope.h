/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes: what one attach makes, until its detach. */
#ifndef CCTX__SCOPE_H
#define CCTX__SCOPE_H

#include <stdatomic.h>

#include <cctx/interpreter.h>

#include "pool.h"
#include "site.h"

enum scope_kind {
  SCOPE_FREE,
  SCOPE_STACK,   /* on the stack of its thread */
  SCOPE_ASK,     /* there too: "under me only the interpreter's variable answers" */
  SCOPE_VARIABLE /* in an interpreter's variable, on no stack */
};

/* Type-stable: a scope's memory is a scope for ever, so a stale token may look at it. It is
 * never on the C stack, which greenlets copy. Who holds a token of the item's generation has a
 * scope in use, and who raises that has ended it. */
struct scope {
  struct pool_item item;
  _Atomic(enum scope_kind) kind;
  _Atomic(struct cctx_stack *) stack; /* that it is on; NULL: a variable scope */
  atomic_bool left;                   /* left from where it could not be reached: skip it */

  /* The owning thread's. */
  uint64_t live;           /* the generation in which it is in use */
  struct scope *below;     /* on that stack; zero in a new scope, as all up to the site */
  cctx *ctx;               /* owned; NULL: the mark ASK, or a variable scope */
  const void *tag;         /* on whose behalf */
  bool handed_over;        /* outlives its request */
  uint64_t stamp;          /* when: later scopes have higher ones */
  uint64_t writes;         /* how often the thread had written the variable */
  struct cctx_place place; /* where the thread's interpreter stood */
  void *variable;          /* the interpreter's handle, of a variable scope */
  struct site site;        /* where it was attached; known in strict mode */
};

/* The scopes of one thread. */
struct cctx_stack {
  struct scope *top;
  atomic_uint left;    /* how many of its scopes are marked so; raised under the lock */
  struct scope *spare; /* free, for the next attach here; linked by `below` */
  unsigned spare_n;
};

/* What a thread has of its own, in one place: to find it costs a call each time. */
struct own {
  struct cctx_stack *stack; /* NULL: none yet */
  /* How many calls for nobody are under way for which there was no memory to push background:
   * until they return, nothing is known. */
  unsigned muted;
  /* How often it wrote the variable: what may be newer than a scope where that cannot be read. */
  uint64_t variable_writes;
};
extern _Thread_local struct own cctx__own;

/* This thread's, found once: the compiler would find it anew at each use. */
static inline struct own *cctx__own_found(void) {
  struct own *own = &cctx__own;
  __asm__("" : "+r"(own));
  return own;
}

/* This thread's stack, made if it has none: NULL for lack of memory. */
struct cctx_stack *cctx__stack_need(struct own *own);

/* How many threads have ended with a scope in force. */
uint64_t cctx__stacks_left(void);

/* A scope of `kind`, and the token that ends it; a spare one of `stack`, this thread's or NULL, if
 * it has any. NULL for lack of memory. */
struct scope *cctx__scope_new(struct cctx_stack *stack, enum scope_kind kind,
                              cctx_token *token);

/* Put a new scope on top of `stack`, which is this thread's. */
void cctx__scope_push(struct cctx_stack *stack, struct scope *scope);

/* End the scope of `token`: false if it had ended. Only one caller ever gets true, and the
 * scope in `*mine` to take away: one of its own stack, or of none. A scope of another
 * thread's stack is marked as left, stays there until its owner passes by, and gives NULL. */
bool cctx__scope_end(const cctx_token *token, struct cctx_stack *stack,
                     struct scope **mine);

/* What the token ends; SCOPE_FREE if that has ended. */
enum scope_kind cctx__scope_kind(const cctx_token *token);

/* Where the scope of a stale token was attached, if it is among the last that ended in strict
 * mode; else nowhere. */
void cctx__scope_site(const cctx_token *token, struct site *out);

/* Whether `scope` of `stack` is skipped: it, or one outside it, was left elsewhere. */
bool cctx__scope_is_skipped(const struct cctx_stack *stack, const struct scope *scope);

/* Take `scope`, just ended, and all above it off this thread's stack, and free them. */
void cctx__scope_pop(struct cctx_stack *stack, struct scope *scope);

/* Take `scope` alone out of the middle of this thread's stack, and free it. */
void cctx__scope_unlink(struct cctx_stack *stack, struct scope *scope);

/* Give the memory of a scope that is on no stack back: to `stack`, likewise, or to the pool. */
void cctx__scope_free(struct cctx_stack *stack, struct scope *scope);

/* Free a scope that was never pushed: its token is stale. Under the lock. */
void cctx__scope_discard(struct scope *scope);

/* What is below the lowest scope that was left elsewhere, which ended whatever was attached
 * inside it; the top if there is none. */
struct scope *cctx__scope_below_left(const struct cctx_stack *stack);

/* The highest scope of `stack` (or NULL) that has not ended elsewhere; frees none. */
static inline struct scope *cctx__scope_top(const struct cctx_stack *stack) {
  if (stack == NULL) return NULL;
  return atomic_load(&stack->left) == 0 ? stack->top : cctx__scope_below_left(stack);
}

#endif
