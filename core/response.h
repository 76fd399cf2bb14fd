/* SPDX-License-Identifier: Apache-2.0 */
/* A response: a slot for a context whose metadata are its pairs. */
#ifndef CCTX__RESPONSE_H
#define CCTX__RESPONSE_H

#include <cctx/response.h>

#include "context.h"

/* Part of the node that has it. What it holds is one of the references that the node keeps, and so
 * is given back with it. */
struct response {
  cctx *held;    /* owned; the first member; background: no pairs; under the lock */
  bool ended;    /* false to true once, under the lock */
  bool receives; /* it belongs to a call that is made; else to a request */
  struct response *outer; /* of the same request; NULL: none */
  enum cctx_response_policy policy;
};

/* Give `ctx`, which nobody else has seen, the response at `room`, memory of its own. */
void cctx__response_init(cctx *ctx, struct response *room);

/* Whether the node has a response itself, as the one thing that it keeps. */
static inline bool cctx__has_response(const cctx *ctx) {
  return ctx->response != NULL && ctx->kept == &ctx->response->held;
}

#endif
