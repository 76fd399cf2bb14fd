/* SPDX-License-Identifier: Apache-2.0 */
/* The request: how long what is inherited lasts. */
#ifndef CCTX_REQUEST_H
#define CCTX_REQUEST_H

#include <cctx/current.h>
#include <cctx/metadata.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Requests ----------------------------------------------------------------
 *
 * What a host does around a request:
 *
 *     struct cctx_request_options options = {.timeout = 200 * CCTX_MILLISECOND};
 *     cctx_request request;
 *     if (cctx_request_begin(&request, ctx, &options) == 0) {
 *       handle();                       // below, current is request.ctx
 *       cctx_request_end(&request);
 *     }
 *
 * All contexts derived from it bear its mark. When the request ends, they are canceled, and
 * whoever only inherited one of them - a task, a coroutine, a patched thread that is late -
 * finds background as current, with the status CCTX_CURRENT_ENDED: never the data of a
 * request that is over, and never those of the next. What was handed over explicitly -
 * by bind, wrap, a thread of the library, or an attach of a context that somebody kept -
 * keeps its values and metadata, and err says canceled. A detached context bears no mark.
 */

/** What a request begins with. All zero: nothing but its mark. */
struct cctx_request_options {
  int64_t timeout;                           /**< ns from now; 0: no limit of its own */
  int64_t deadline;                          /**< absolute, ns; 0: no limit of its own */
  const struct cctx_metadata_pair *metadata; /**< copied, as by cctx_with_metadata */
  size_t metadata_n;
  bool response; /**< it has a response, which the host reads; see cctx/response.h */
};

/** A request that has begun. */
typedef struct cctx_request {
  cctx *ctx;        /**< its context, owned by the request until its end, NULL after that */
  cctx_token token; /**< of its scope: a thread that goes on with other requests detaches it
                         at once, and clears it */
} cctx_request;

/** Begin a request: derive from `parent` a context that bears a new mark, that can be canceled, and
 *  that has what `options` (or NULL) says, and attach it. On an error nothing has changed,
 *  and `request` may be ended to no effect: CCTX_ENOMEM, or what cctx_with_metadata
 *  refuses. Use the macro. */
CCTX_MUST_USE CCTX_API int cctx_request_begin_at(cctx_request *request, cctx *parent,
                                                 const struct cctx_request_options *options,
                                                 const char *file, int line);
#define cctx_request_begin(request, parent, options)                                       \
  cctx_request_begin_at((request), (parent), (options), __FILE__, __LINE__)

/** End it: cancel its context, detach it, and give it back. Call it once, on any thread: on
 *  another than where it began, that one's scope is marked, and every reader skips
 *  it. What was inherited answers background from here on. Another thread that may still
 *  cancel its context has taken a reference of its own. CCTX_ESTALE if its scope had ended: one
 *  outside it was left; the request ends nevertheless. */
CCTX_API int cctx_request_end_at(cctx_request *request, const char *file, int line);
#define cctx_request_end(request) cctx_request_end_at((request), __FILE__, __LINE__)

#ifdef __cplusplus
}
#endif
#endif
