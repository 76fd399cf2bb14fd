/* SPDX-License-Identifier: Apache-2.0 */
/* Loops: being told when a context is done, on a thread of one's own choice. */
#ifndef CCTX_LOOP_H
#define CCTX_LOOP_H

#include <cctx/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Observing ---------------------------------------------------------------
 *
 * Asking (cctx_err) costs no thread and no timer. To be told, register a callback, and
 * say who calls it: a loop that the host runs, the library's own thread (NULL), or the thread
 * that cancels (CCTX_INLINE). A callback runs once or never, with no lock held, after the
 * whole subtree of what was canceled answers done: the callbacks of one cancellation
 * by node, a parent's before its children's, children in the order in which they were first
 * observed, and within a node in the order of registration. Of a deadline they come in the
 * order of time, and of the same time in that of registration. They run with background
 * current.
 */

/** A place where callbacks are run: by one thread at a time, which is the host's choice. */
typedef struct cctx_loop cctx_loop;

/** A loop, or NULL for lack of memory. */
CCTX_MUST_USE CCTX_API cctx_loop *cctx_loop_new(void);

/** Free `loop`, in which no callback may be running: what is registered with it never
 *  runs. NULL is allowed. */
CCTX_API void cctx_loop_free(cctx_loop *loop);

/** A file descriptor that poll and epoll find readable while cctx_loop_run has
 *  something to do, for the host's event loop; made at the first call, closed by
 *  cctx_loop_free, never to be read. CCTX_ENOMEM if the system has none left. */
CCTX_API int cctx_loop_fd(cctx_loop *loop);

/** When cctx_loop_run has something to do next: a deadline (absolute, ns), which has passed
 *  if it has something now; CCTX_NEVER if nothing is expected. */
CCTX_API int64_t cctx_loop_next(cctx_loop *loop);

/** Run the callbacks of contexts that are canceled, or whose deadline is at or before
 *  `now`, which is cctx_now() or a little earlier. Returns how many. What they register
 *  or cancel waits for the next run. Not from inside a callback of the same loop. */
CCTX_API size_t cctx_loop_run(cctx_loop *loop, int64_t now);

/** For cctx_on_done: call on the thread that cancels, before cctx_cancel returns. When it is a
 *  deadline that passes, nobody cancels: then the library's own thread calls. */
#define CCTX_INLINE ((cctx_loop *)-1)

typedef void cctx_done_fn(cctx *ctx, void *arg);

/** What off_done needs to find a registration. Copy it freely. */
typedef struct cctx_observer {
  void *slot;
  uint64_t generation;
} cctx_observer;

/** Call `fn`(ctx, arg) by `loop` once `ctx` is done; at once, in the same way, if it is done
 *  already. The registration keeps a reference to `ctx` until the callback has returned or
 *  was prevented. `observer` may be NULL. CCTX_ENOMEM: nothing is registered, fn never runs, and the
 *  observer is one that off_done finds ended. */
CCTX_MUST_USE CCTX_API int cctx_on_done(cctx *ctx, cctx_loop *loop, cctx_done_fn *fn,
                                        void *arg, cctx_observer *observer);

/** Prevent the callback: 1 if this call did, 0 if it has begun, has run or was prevented
 *  before. Never waits: it may still be running. */
CCTX_API int cctx_off_done(cctx_observer *observer);

/** The same, and if the callback is running on another thread, wait until it has returned.
 *  From inside the callback itself it does not wait. */
CCTX_API int cctx_off_done_wait(cctx_observer *observer);

/** Block until `ctx` is done or the clock reaches `until`: cctx_err(ctx). Never returns
 *  early otherwise; an `until` that has passed polls. Needs no timer and no loop. */
CCTX_API int cctx_wait(cctx *ctx, int64_t until);

/** A file descriptor that poll and epoll find readable once `ctx` is done, and for ever
 *  after; made at the first call and shared. It belongs to the context: good while a reference
 *  to that is held, never to be read, written or closed. In the child of a fork ask anew. A
 *  negative CCTX_E code if the system has none left: look at it before you hand it to poll, which
 *  ignores a negative descriptor. */
CCTX_API int cctx_done_fd(cctx *ctx);

#ifdef __cplusplus
}
#endif
#endif
