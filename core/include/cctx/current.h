/* SPDX-License-Identifier: Apache-2.0 */
/* The current context: what the code that runs now works for. */
#ifndef CCTX_CURRENT_H
#define CCTX_CURRENT_H

#include <cctx/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The current context ---------------------------------------------------
 *
 * A wrong context is worse than none: where the answer cannot be known, it is
 * background. A host attaches the request's context, calls scripts, and detaches:
 *
 *     cctx_token token;
 *     if (cctx_attach(ctx, &token) == 0) {
 *       handle(request);
 *       cctx_detach(&token);
 *     }
 *
 * On a thread that is attached to a Python interpreter, attach writes that
 * interpreter's context variable, so that tasks, threads and coroutines started inside
 * inherit it as they inherit any contextvar. On any other it pushes a scope on
 * the thread's own stack. docs/current.md has the whole rule.
 */

/** The current context, never NULL. Borrowed: valid until this thread next attaches,
 *  detaches, or runs script code. Any thread, with or without an interpreter's lock, which
 *  it never takes. Not async-signal-safe. */
CCTX_API cctx *cctx_current(void);

/** The same with a reference of its own: give it back with cctx_unref. */
CCTX_MUST_USE CCTX_API cctx *cctx_current_ref(void);

/** Why cctx_current answers what it does. */
enum cctx_current_status {
  CCTX_CURRENT_NONE,     /**< background: nothing is attached */
  CCTX_CURRENT_ATTACHED, /**< what was attached last */
  CCTX_CURRENT_UNKNOWN, /**< background: something is attached, and it cannot be told whether
                            the code that runs now works for it */
  CCTX_CURRENT_ENDED    /**< background: the request of what was inherited has ended */
};

/** One of enum cctx_current_status. As cctx_current. */
CCTX_API int cctx_current_status(void);

/** What detach needs to find its scope. Copy it freely; only the first detach acts. */
typedef struct cctx_token {
  void *scope;
  uint64_t generation;
} cctx_token;

/** Make `ctx` current from here on; `*token` is for cctx_detach. Takes a reference of its
 *  own. CCTX_ENOMEM: nothing has changed, and the token may be detached to no effect.
 *  `file`:`line`, which the macro fills in, are what strict mode reports. */
CCTX_MUST_USE CCTX_API int cctx_attach_at(cctx *ctx, cctx_token *token, const char *file,
                                          int line);
#define cctx_attach(ctx, token) cctx_attach_at((ctx), (token), __FILE__, __LINE__)

/** Put back what was current at attach, and end whatever was attached inside and not
 *  left. A token whose scope has ended does nothing and returns CCTX_ESTALE. Allowed on any
 *  thread: a scope that cannot be reached from here is marked, every reader skips it and what
 *  is inside it, and its thread gives the context back when it next attaches or detaches. */
CCTX_API int cctx_detach_at(cctx_token *token, const char *file, int line);
#define cctx_detach(token) cctx_detach_at((token), __FILE__, __LINE__)

/** The scopes of one fiber. */
typedef struct cctx_stack cctx_stack;

/** For a host that switches fibers by itself: put `stack` (NULL: an empty one) in the place of
 *  this thread's scopes, and return those, or NULL if there were none. Call it at each switch
 *  with what the fiber to run next had when it was left; a fiber may go on on another
 *  thread. Scopes in an interpreter's variable are not concerned. */
CCTX_API cctx_stack *cctx_stack_swap(cctx_stack *stack);

/** Free the scopes of a fiber that has ended, which are on no thread; NULL is allowed. */
CCTX_API void cctx_stack_free(cctx_stack *stack);

/** How many detaches found their scope ended already, in this process: each is a
 *  bracket that does not match. */
CCTX_API uint64_t cctx_stale_detaches(void);

/** For cctx_strict: leave the mode as it is. */
#define CCTX_STRICT_ASK (-1)

/** Strict mode, for tests: 1 turns it on, 0 off. In it each misuse that the library otherwise puts
 *  up with is said to the log, on the thread that it is about, with both places: scopes
 *  that are not left in the order in which they were attached, and a context of a request
 *  that has ended as a parent. Costs a copy of the place for each scope. Returns
 *  what it was. */
CCTX_API int cctx_strict(int mode);

#ifdef __cplusplus
}
#endif
#endif
