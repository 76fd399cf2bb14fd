/* SPDX-License-Identifier: Apache-2.0 */
/* cctx: one context for a request - metadata, deadline, cancellation - seen alike by C
 * code and by the Lua and Python scripts it calls.
 *
 *     cctx *ctx = cctx_with_timeout(cctx_background(), 200 * CCTX_MILLISECOND);
 *     cctx *tenant = cctx_with_value(ctx, cctx_key_named("tenant"), cctx_text("acme"));
 *     cctx_token token;
 *     if (tenant && cctx_attach(tenant, &token) == 0) {
 *       handle(request);        // anywhere below: cctx_current(), in C, Lua, Python
 *       cctx_detach(&token);
 *     }
 *     cctx_unref(tenant);
 *     cctx_finish(ctx);         // cancel whatever still works for it
 *
 * Five contracts hold throughout; a function's comment has only what is special to it.
 *
 *   Ownership  What a constructor makes, returned or in `out`, has one holder: you. Each
 *              holder calls cctx_unref() once. "Borrowed" means that somebody else
 *              holds it. A function borrows its arguments while it runs.
 *   Threads    A context that you hold may be used on every thread. A signal handler may
 *              call only what says that it is async-signal-safe.
 *   Errors     Constructors know one error, no memory, and answer NULL. The others answer 0
 *              or a negative CCTX_E code. After an error all is as it was before the call.
 *   Time       Nanoseconds of cctx_now() in an int64_t: a point named `deadline`, a length
 *              named `timeout`, CCTX_NEVER for no limit. Sums stop at the ends.
 *   Misuse     No context where one is due, or one that its holder gave back: debug builds
 *              stop with an assertion that names the function, others do what they may.
 */
#ifndef CCTX_H
#define CCTX_H

#include <cctx/base.h>     /* version, status codes */
#include <cctx/memory.h>   /* where memory comes from */
#include <cctx/log.h>      /* where it says that it is used wrongly */
#include <cctx/clock.h>    /* now, never, a clock for tests */
#include <cctx/context.h>  /* the tree: derive, cancel, ask */
#include <cctx/value.h>    /* what this process knows of the request */
#include <cctx/metadata.h> /* what may travel with the request */
#include <cctx/current.h>  /* the context that the running code works for */
#include <cctx/request.h>  /* how long what is inherited lasts */
#include <cctx/response.h> /* what goes back to the caller */
#include <cctx/session.h>  /* what a request left for code that was not given its context */
#include <cctx/backup.h>   /* a context found again where it was lost */
#include <cctx/loop.h>     /* being told that a context is done, and waiting for it */
#include <cctx/carrier.h>  /* across processes */

#endif
