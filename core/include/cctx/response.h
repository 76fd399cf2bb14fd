/* SPDX-License-Identifier: Apache-2.0 */
/* The response: metadata that goes back to the caller. */
#ifndef CCTX_RESPONSE_H
#define CCTX_RESPONSE_H

#include <cctx/metadata.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Responses ---------------------------------------------------------------
 *
 * Metadata goes down with a request; a response brings some back, one hop. It is the one
 * thing here that changes, and belongs to one call:
 *
 *     served    A request that began with `response` in its options has one. Handlers set
 *               pairs in it, the host reads them when it answers.
 *     made      A context of cctx_with_response has one for the call that is made under it. The
 *               client's transport puts what the other side answered there, and whoever
 *               made the call reads it.
 *
 * The two never mix: cctx_response_set goes to the request that is served, past any call;
 * cctx_response_receive goes to the call, and never to a request. Neither leaves its
 * request: code of another one that began inside it finds only its own. What comes after the
 * end goes nowhere, and is told so. Budgets and names are those of metadata.
 */

/** What a call does with a name that came before: with a retry, or several answers. */
enum cctx_response_policy {
  CCTX_LAST,  /**< take the later value */
  CCTX_FIRST, /**< keep the first */
  CCTX_APPEND /**< keep all, joined by ", " in the order in which they came */
};

/** A child with an empty response of its own, for one call: whatever is received under it comes
 *  there, by `policy`. Give each call one; it lives as long as its context. */
CCTX_MUST_USE CCTX_API cctx *cctx_with_response(cctx *parent,
                                                enum cctx_response_policy policy);

/** Set `n` pairs in the response of the request that `ctx` works for, all or none; the later
 *  value wins, one that is NULL takes its name out, the scope says nothing. CCTX_ENOTFOUND: that
 *  request takes no response, or there is none. CCTX_ESTALE: it has ended. CCTX_EINVAL,
 *  CCTX_ETOOBIG with the offender's index in `bad` (or NULL), and CCTX_ENOMEM, as
 *  cctx_with_metadata. Any number of threads may set at once. */
CCTX_API int cctx_response_set(cctx *ctx, const struct cctx_metadata_pair *pairs, size_t n,
                               size_t *bad);

/** For the transport of a client: the same for the call that `ctx` belongs to, by its
 *  policy. CCTX_ENOTFOUND: whoever made the call takes no response. */
CCTX_API int cctx_response_receive(cctx *ctx, const struct cctx_metadata_pair *pairs,
                                   size_t n, size_t *bad);

/** What the response holds now, as the metadata of a context that has nothing else, all of it in
 *  the scope CCTX_HOP: that of the call or request that `ctx` belongs to, whichever is nearer.
 *  Yours, and it stays as it is; background where there is nothing. Never fails. */
CCTX_API cctx *cctx_response(cctx *ctx);

/** End it: nothing comes in any more, and it can still be read. For whoever has it: CCTX_EINVAL
 *  if `ctx` is not itself the context of a call or request with a response. CCTX_ESTALE if
 *  it had ended. The end of its request ends it too. */
CCTX_API int cctx_response_end(cctx *ctx);

#ifdef __cplusplus
}
#endif
#endif
