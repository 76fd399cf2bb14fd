/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: a node that bears a mark, made current, until it ends. */
#include <assert.h>

#include <cctx/interpreter.h>
#include <cctx/request.h>

#include "mark.h"
#include "response.h"
#include "stop.h"

struct marked {
  struct stop stop;
  struct mark mark;
  struct response response;
};

static int64_t limit_of(const struct cctx_request_options *options) {
  int64_t deadline = options && options->deadline ? options->deadline : CCTX_NEVER;
  int64_t end =
      options && options->timeout ? cctx_deadline_after(options->timeout) : CCTX_NEVER;
  return deadline < end ? deadline : end;
}

/* A response of the request around it is none of its own. */
static cctx *derive(cctx *parent, int64_t limit, bool response, const char *file,
                    int line) {
  cctx *ctx = cctx__node_new(parent, sizeof(struct marked));
  struct marked *marked;
  if (ctx == NULL) return NULL;
  marked = cctx__room(ctx);
  cctx__stop_init(ctx, &marked->stop, limit, true);
  cctx__culprit_set(&marked->stop.owner, NULL, file, line);
  cctx__mark_init(&marked->mark, parent->mark);
  ctx->mark = &marked->mark;
  ctx->response = NULL;
  if (response) cctx__response_init(ctx, &marked->response);
  return ctx;
}

int cctx_request_begin_at(cctx_request *request, cctx *parent,
                          const struct cctx_request_options *options, const char *file,
                          int line) {
  struct cctx_origin origin = {.lifetime = CCTX_INHERITED, .file = file, .line = line};
  cctx *ctx, *informed = NULL;
  int status;
  assert(cctx__is_live(parent) && "cctx_request_begin: no parent, or one given back");
  *request = (cctx_request){NULL, {NULL, 0}};
  if (options && options->metadata_n) {
    status =
        cctx_with_metadata(&informed, parent, options->metadata, options->metadata_n, NULL);
    if (status != CCTX_OK) return status;
  }
  ctx = derive(informed ? informed : parent, limit_of(options),
               options && options->response, file, line);
  cctx_unref(informed);
  if (ctx == NULL) return CCTX_ENOMEM;
  status = cctx_attach_as(ctx, &origin, &request->token);
  if (status == CCTX_OK)
    request->ctx = ctx;
  else
    cctx_unref(ctx);
  return status;
}

int cctx_request_end_at(cctx_request *request, const char *file, int line) {
  cctx *ctx = request->ctx;
  struct marked *marked;
  int status;
  if (ctx == NULL) return CCTX_ESTALE; /* it never began, or has ended */
  marked = (struct marked *)(void *)ctx->stop;
  cctx__mark_end(&marked->mark, file, line); /* first: no callback inherits what is over */
  cctx_response_end(ctx);                    /* if it has one */
  cctx_cancel_at(ctx, "the request has ended", file, line);
  status = cctx_detach_at(&request->token, file, line);
  *request = (cctx_request){NULL, {NULL, 0}};
  cctx_unref(ctx);
  return status;
}
