/* SPDX-License-Identifier: Apache-2.0 */
/* The interpreter: what a binding tells the core so that cctx_current is right. */
#ifndef CCTX_INTERPRETER_H
#define CCTX_INTERPRETER_H

#include <cctx/current.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- For authors of bindings -------------------------------------------------
 *
 * A host or an extension does not need this chapter. One interpreter that switches
 * contexts behind the core's back (Python: tasks, greenlets, Context.run) registers
 * here; the core pulls its answer at each question and keeps no copy that could go
 * stale. Lua does not register: a binding that sees each switch tags its scopes.
 */

/** Where a thread's interpreter stands: with the same thread and version it has not
 *  switched. All zero: this thread has no thread state. */
struct cctx_place {
  uint64_t thread;     /**< id of the thread state, never reused; 0: none */
  const void *context; /**< its context object, compared after a call that kept it alive */
  uint64_t version;    /**< raised at each switch of it */
};

enum cctx_sight_state {
  CCTX_SIGHT_NONE,     /**< this thread has no thread state */
  CCTX_SIGHT_RELEASED, /**< it has one and does not hold its lock, or it cannot be told */
  CCTX_SIGHT_ATTACHED  /**< it runs the interpreter */
};

/** What the interpreter says of this thread. */
struct cctx_sight {
  enum cctx_sight_state state;
  bool known;              /**< the variable was read: without a context it is unset */
  bool writable;           /**< attached, and its interpreter has the variable */
  struct cctx_place place; /**< of the state, if any */
  cctx *ctx;               /**< the variable's context, borrowed; NULL: unset or unknown */
  uint64_t stamp;          /**< given when it was attached */
  const void *tag;         /**< given when it was attached */
  bool handed_over;        /**< given when it was attached */
};

/** How long a scope, and what is started inside it and inherits it, answers. */
enum cctx_lifetime {
  CCTX_LIFETIME_AUTO, /**< as long as the scope that it replaced, if that is of the same
                         request; else handed over, as somebody brought the context here */
  CCTX_INHERITED,     /**< until its request ends */
  CCTX_HANDED_OVER    /**< as long as somebody holds it: bind, wrap, a new thread */
};

/** How a scope is made. All zero is what cctx_attach does. */
struct cctx_origin {
  const void *tag; /**< on whose behalf: a binding that switches coroutines uses the
                                  coroutine */
  enum cctx_lifetime lifetime; /**< of an answer: one of the two that are not AUTO */
  const char *file;            /**< where, for strict mode; NULL: not known */
  int line;
};

/** The binding's side. Every function is called on the asking thread with no lock of
 *  the core held, and must neither take the interpreter's lock nor block. */
struct cctx_interpreter {
  /** Look, and fill all of `out`. */
  void (*look)(struct cctx_sight *out);

  /** Write the variable: only after look said `writable`, and nothing ran since. The handle
   *  in `*variable` belongs to the core until leave. 0 or CCTX_ENOMEM. */
  int (*attach)(cctx *ctx, uint64_t stamp, const void *tag, bool handed_over,
                void **variable);

  /** Leave a variable scope: restore what it replaced if it can be reached from here, else
   *  mark it so that readers skip it. Takes the handle back; any thread. CCTX_ESTALE if
   *  it had ended, because one outside it was left. */
  int (*leave)(void *variable);

  /** Take the handle back without leaving: the scope goes with its Context. Any thread. */
  void (*forget)(void *variable);
};

/** Register `hook` (static memory) as the one interpreter of this process. CCTX_EBUSY if
 *  another is. */
CCTX_API int cctx_interpreter_hook(const struct cctx_interpreter *hook);

/** Remove it, and wait until no thread is inside `look`. */
CCTX_API void cctx_interpreter_unhook(const struct cctx_interpreter *hook);

/** cctx_attach, as `origin` says. */
CCTX_MUST_USE CCTX_API int cctx_attach_as(cctx *ctx, const struct cctx_origin *origin,
                                          cctx_token *token);

/** Make background current whatever the interpreter's variable says, by a scope on the stack: for
 *  what works for nobody, such as finalizers and release hooks. As cctx_attach. */
CCTX_MUST_USE CCTX_API int cctx_attach_background(cctx_token *token);

/** How the scope that gives the current answer was made, without its place, also if its
 *  request has ended; all zero if the answer is background because nothing is known. */
CCTX_API void cctx_current_origin(struct cctx_origin *out);

/** Whether the request that `ctx` belongs to has ended: then what only inherited `ctx` answers
 *  background. False for what belongs to none, as what is detached. Any thread. */
CCTX_API bool cctx_has_ended(const cctx *ctx);

/** How many hold a reference to `ctx` now, its children among them; 0 for a root. For a
 *  garbage collector that must know whether it sees all of them. Any thread. */
CCTX_API size_t cctx_references(const cctx *ctx);

/** Give up the right to detach: what holds the token is going away unused. A scope in a
 *  variable stays there, and goes with what it is in; one on a stack with the one
 *  outside it, or with its thread. Any thread. */
CCTX_API void cctx_forget(cctx_token *token);

/** Before C calls into the interpreter: push the mark ASK, under which only the variable
 *  answers. The token is for cctx_boundary_leave alone. */
CCTX_MUST_USE CCTX_API int cctx_boundary_enter(cctx_token *token);

/** After the call: remove the mark, wherever it is by now. Scopes below it that were in
 *  force by their place at enter are so again. CCTX_ESTALE as cctx_detach. */
CCTX_API int cctx_boundary_leave(cctx_token *token);

#ifdef __cplusplus
}
#endif
#endif
