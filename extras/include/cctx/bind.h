/* SPDX-License-Identifier: Apache-2.0 */
/* Binding: a function that runs later, or elsewhere, under the context of now. */
#ifndef CCTX_BIND_H
#define CCTX_BIND_H

#include <cctx/current.h>

#include <pthread.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Bound functions -------------------------------------------------------------
 *
 * An event loop calls back on a stack of its own, where nobody's context is current. Keep
 * the context with the function, and hand the pair to the event loop:
 *
 *     request->timer.data = cctx_bind(NULL, on_timer, request);
 *     uv_timer_start(&request->timer, call_bound, 100, 0);
 *
 *     static void call_bound(uv_timer_t *timer) { cctx_bound_call_once(timer->data); }
 *
 * What is bound was handed over on purpose: it is called also when its context is done, so
 * that it can give back what it holds. It asks cctx_err(cctx_current()).
 */
typedef struct cctx_bound cctx_bound;

/** A pair of `ctx` (NULL: what is current now), as cctx_capture gives it to another thread, and
 *  `fn`(arg). Keeps a reference to the context; `arg` stays the caller's. NULL for lack of memory. */
CCTX_MUST_USE CCTX_API cctx_bound *cctx_bind(cctx *ctx, void (*fn)(void *arg), void *arg);

/** Call it on this thread with its context current; what was current is so again on return.
 *  Any thread, any number of times, several at once. CCTX_ENOMEM: it was not called. */
CCTX_API int cctx_bound_call(cctx_bound *bound);

/** The same for the last time: `bound` is freed, before the function runs. CCTX_ENOMEM: it
 *  was not called, and is not freed. */
CCTX_API int cctx_bound_call_once(cctx_bound *bound);

/** Free it, without calling it. Allowed from inside its own call, not while another thread
 *  begins one. NULL is allowed. */
CCTX_API void cctx_bound_free(cctx_bound *bound);

/* ---- Threads ---------------------------------------------------------------------- */

/** pthread_create, but `fn` begins with what is current here, as cctx_capture gives it to another
 *  thread, and keeps it until the thread ends: it is handed over. Returns when the context is in
 *  place: 0, or an error number (EAGAIN, EINVAL, EPERM, ENOMEM) as pthread_create does; then
 *  `fn` never runs, and there is no thread to join. */
CCTX_MUST_USE CCTX_API int cctx_thread_create(pthread_t *thread, const pthread_attr_t *attr,
                                              void *(*fn)(void *arg), void *arg);

/** The same for a thread that inherits: a late one finds background as current once the request has
 *  ended, with the status CCTX_CURRENT_ENDED. */
CCTX_MUST_USE CCTX_API int cctx_thread_inherit(pthread_t *thread,
                                               const pthread_attr_t *attr,
                                               void *(*fn)(void *arg), void *arg);

/** Run `fn`(arg) on a thread of its own that nobody waits for, with what is current here, handed
 *  over. Returns as cctx_thread_create. */
CCTX_MUST_USE CCTX_API int cctx_go(void (*fn)(void *arg), void *arg);

#ifdef __cplusplus
}
#endif
#endif
