/* SPDX-License-Identifier: Apache-2.0 */
/* Responses: metadata that goes back to the caller.
 *
 * What a response holds is immutable, as all metadata: a context of its own. To set pairs is to
 * make another beside it and to change one for the other, if nobody else did so in
 * between; else it is made again. So no lock is held while memory is taken, and what a
 * reader got stays as it is.
 */
#include "response.h"

#include <assert.h>
#include <string.h>

#include <cctx/interpreter.h>

#include "lock.h"
#include "memory.h"
#include "metadata.h"

void cctx__response_init(cctx *ctx, struct response *room) {
  *room = (struct response){.held = cctx_background()};
  ctx->kept = &room->held;
  ctx->kept_n = 1;
  ctx->response = room;
}

cctx *cctx_with_response(cctx *parent, enum cctx_response_policy policy) {
  cctx *ctx;
  assert(cctx__is_live(parent) && "cctx_with_response: no parent, or one given back");
  ctx = cctx__node_new(parent, sizeof(struct response));
  if (ctx == NULL) return NULL;
  cctx__response_init(ctx, cctx__room(ctx));
  ctx->response->receives = true;
  ctx->response->policy = policy;
  ctx->response->outer = parent->response;
  return ctx;
}

/* ---- What is held ------------------------------------------------------------------ */

static cctx *held_ref(struct response *response, bool *ended) {
  cctx *held;
  cctx__lock();
  held = cctx_ref(response->held);
  *ended = response->ended;
  cctx__unlock();
  return held;
}

/* Let `after` be held instead of `before`, if that is. */
static bool exchange(struct response *response, cctx *before, cctx *after) {
  bool done;
  cctx__lock();
  done = response->held == before && !response->ended;
  if (done) response->held = cctx_ref(after);
  cctx__unlock();
  if (done) cctx_unref(before);
  return done;
}

/* ---- Setting ----------------------------------------------------------------------- */

/* Make `*held`, a reference of the caller's, what it is with `n` pairs more. */
static int add_pairs(cctx **held, const struct cctx_metadata_pair *pairs, size_t n,
                     size_t *bad) {
  struct recipe recipe = {cctx__metadata_seen(*held), true, pairs, n};
  struct pairs *table;
  cctx *after;
  int status = cctx__metadata_derive(NULL, &after, cctx_background(), &recipe, bad);
  if (status != CCTX_OK) return status;
  table = after->pairs;
  for (size_t i = 0; i < table->n; i++) table->at[i].scope = CCTX_HOP;
  cctx_unref(*held);
  *held = after;
  return CCTX_OK;
}

/* The same with one pair, by a policy that keeps what came before. Nothing is joined to an
 * empty value, nor an empty one to anything. */
static int merge_pair(cctx **held, enum cctx_response_policy policy,
                      const struct cctx_metadata_pair *pair) {
  struct cctx_metadata_pair joined = *pair;
  size_t len = 0;
  const char *before = cctx_metadata(*held, pair->name, &len);
  char *text = NULL;
  int status;
  if (before && (policy == CCTX_FIRST || !pair->value || !pair->len)) return CCTX_OK;
  if (len > 0 && pair->len <= CCTX_METADATA_BYTES_MAX) { /* else it is refused as it is */
    joined.len = len + 2 + pair->len;
    joined.value = text = cctx__alloc(joined.len);
    if (text == NULL) return CCTX_ENOMEM;
    memcpy(text, before, len);
    memcpy(text + len, ", ", 2);
    memcpy(text + len + 2, pair->value, pair->len);
  }
  status = add_pairs(held, &joined, 1, NULL);
  cctx__free(text);
  return status;
}

static int merge_pairs(cctx **held, enum cctx_response_policy policy,
                       const struct cctx_metadata_pair *pairs, size_t n, size_t *bad) {
  if (policy == CCTX_LAST) return add_pairs(held, pairs, n, bad);
  for (size_t i = 0; i < n; i++) {
    int status = merge_pair(held, policy, &pairs[i]);
    if (status == CCTX_OK) continue;
    if (bad && status != CCTX_ENOMEM) *bad = i;
    return status;
  }
  return CCTX_OK;
}

/* `ctx` is whose code sets them: what works for a request that has ended sets nothing. */
static int change(const cctx *ctx, struct response *response,
                  const struct cctx_metadata_pair *pairs, size_t n, size_t *bad) {
  int status = response ? CCTX_OK : CCTX_ENOTFOUND;
  for (bool done = false; status == CCTX_OK && !done;) {
    bool ended;
    cctx *before = held_ref(response, &ended), *after = cctx_ref(before);
    status = ended || cctx_has_ended(ctx)
                 ? CCTX_ESTALE
                 : merge_pairs(&after, response->policy, pairs, n, bad);
    if (status == CCTX_OK) done = exchange(response, before, after);
    cctx_unref(after);
    cctx_unref(before);
  }
  return status;
}

int cctx_response_set(cctx *ctx, const struct cctx_metadata_pair *pairs, size_t n,
                      size_t *bad) {
  struct response *response = cctx__is_live(ctx) ? ctx->response : NULL;
  assert(cctx__is_live(ctx) && "cctx_response_set: no context, or one given back");
  while (response && response->receives) response = response->outer;
  return change(ctx, response, pairs, n, bad);
}

int cctx_response_receive(cctx *ctx, const struct cctx_metadata_pair *pairs, size_t n,
                          size_t *bad) {
  struct response *response = cctx__is_live(ctx) ? ctx->response : NULL;
  assert(cctx__is_live(ctx) && "cctx_response_receive: no context, or one given back");
  return change(ctx, response && response->receives ? response : NULL, pairs, n, bad);
}

/* ---- Reading, ending --------------------------------------------------------------- */

cctx *cctx_response(cctx *ctx) {
  bool ended;
  assert(cctx__is_live(ctx) && "cctx_response: no context, or one given back");
  return ctx->response ? held_ref(ctx->response, &ended) : cctx_background();
}

int cctx_response_end(cctx *ctx) {
  bool ended;
  assert(cctx__is_live(ctx) && "cctx_response_end: no context, or one given back");
  if (!cctx__has_response(ctx)) return CCTX_EINVAL;
  cctx__lock();
  ended = ctx->response->ended;
  ctx->response->ended = true;
  cctx__unlock();
  return ended ? CCTX_ESTALE : CCTX_OK;
}
