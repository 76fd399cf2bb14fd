/* SPDX-License-Identifier: Apache-2.0 */
/* Watchdogs: a timeout that starts anew each time there is progress. */
#ifndef CCTX_WATCHDOG_H
#define CCTX_WATCHDOG_H

#include <cctx/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Idle timeouts ---------------------------------------------------------------
 *
 * A deadline never moves. For "30 seconds without a byte" there is a watchdog: who makes
 * progress feeds it, and if nobody has for `timeout` it cancels a context.
 *
 *     cctx *ctx = cctx_with_cancel(request);
 *     cctx_watchdog *dog = cctx_watchdog_new(ctx, loop, 30 * CCTX_SECOND, "idle for 30 s");
 *     while ((n = cctx_read(ctx, fd, buffer, sizeof buffer)) > 0) {
 *       cctx_watchdog_feed(dog);
 *       consume(buffer, n);
 *     }
 *     cctx_watchdog_free(dog);
 *     cctx_finish(ctx);
 *
 * It costs one observed deadline. Feeding notes the time and no more: when the deadline
 * comes, the watchdog sleeps on until `timeout` after the last feeding.
 */
typedef struct cctx_watchdog cctx_watchdog;

/** A watchdog that cancels `ctx`, with `message` (or NULL) and `file`:`line` as the cause,
 *  once it has not been fed for `timeout` ns; making it feeds it. `ctx` is one that
 *  with_cancel or with_deadline made (an assertion when it is canceled). Keeps a reference
 *  to it; the strings are copied. `loop` cancels: a host's own, on the thread that runs it,
 *  or NULL, the library's thread; CCTX_INLINE is taken as NULL. A timeout that is not
 *  positive cancels at the next run; CCTX_NEVER never does. NULL for lack of memory. */
CCTX_MUST_USE CCTX_API cctx_watchdog *cctx_watchdog_new_at(cctx *ctx, cctx_loop *loop,
                                                           int64_t timeout,
                                                           const char *message,
                                                           const char *file, int line);

/** The same, with this line as the place. */
#define cctx_watchdog_new(ctx, loop, timeout, message)                                     \
  cctx_watchdog_new_at((ctx), (loop), (timeout), (message), __FILE__, __LINE__)

/** There was progress now. Any thread, and several at once; neither locks nor allocates;
 *  async-signal-safe. Of no effect once it has canceled. */
CCTX_API void cctx_watchdog_feed(cctx_watchdog *dog);

/** End it: it cancels no more, and on return it is not canceling, but where the call
 *  comes from a callback of that very cancellation. Any thread, but not while another feeds
 *  it. Cancels nothing. Before the loop is freed or after. NULL is allowed.
 *
 *  When its deadline comes early a watchdog needs memory to sleep on. If there is none, it
 *  cancels at once, with a message that says so: work that nobody watches is the
 *  greater evil. In the child of a fork a watchdog of the parent never cancels. */
CCTX_API void cctx_watchdog_free(cctx_watchdog *dog);

#ifdef __cplusplus
}
#endif
#endif
