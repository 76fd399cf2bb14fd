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
 * These hold for every function; its comment says so where it differs.
 *
 *   Ownership  A context that a function returns or stores in `out` is yours: give it back
 *              once with cctx_unref(). What a function lends is named "borrowed".
 *              Arguments are borrowed for the call.
 *   Threads    Any thread may call, with a context it holds a reference to. Nothing
 *              here is async-signal-safe unless its comment says so.
 *   Errors     A constructor returns NULL for lack of memory. Everything else that can
 *              fail returns 0 or a negative CCTX_E code. Objects are as they were.
 *   Time       int64_t nanoseconds of cctx_now(). `deadline` is absolute, `timeout`
 *              relative, CCTX_NEVER no limit; sums saturate.
 *   Misuse     NULL where it is not allowed, or a context already given back, is a bug of
 *              the caller: an assertion in debug builds, undefined otherwise.
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
#include <cctx/loop.h>     /* being told that a context is done, and waiting for it */
#include <cctx/carrier.h>  /* across processes */

#endif
