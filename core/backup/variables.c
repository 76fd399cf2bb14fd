/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of the mutable kind: a cell that holds a context, whose values are the variables.
 *
 * What is in the cell never changes: setting a variable derives a child of it and puts that
 * in its place, unless somebody was faster, and then again. So memory is taken, and hooks run,
 * with no lock held; a reader takes a reference and reads at leisure; a snapshot is no copy.
 */
#include <assert.h>

#include "lock.h"
#include "session.h"

/* After so many changes the values are put in one node, without those that are hidden. */
#define DEPTH_MAX 16

/* Part of the session's node. Guarded by the lock. */
struct variables {
  cctx *values; /* owned */
  unsigned depth;
};

static void drop(cctx *ctx) {
  struct variables *own = ctx->mark->own;
  cctx__session_drop(ctx);
  cctx_unref(own->values);
}

cctx *cctx_with_variables_at(cctx *parent, int64_t timeout, const char *file, int line) {
  void *own;
  cctx *ctx;
  assert(cctx__is_live(parent) && "cctx_with_variables: no parent, or one given back");
  ctx = cctx__session_new(parent, timeout, sizeof(struct variables), &own, file, line);
  if (ctx == NULL) return NULL;
  *(struct variables *)own = (struct variables){cctx_background(), 0};
  ctx->mark->own = own;
  ctx->drop = drop;
  return cctx__session_listed(ctx);
}

static cctx *take(struct variables *own, unsigned *depth) {
  cctx *values;
  cctx__lock();
  values = cctx_ref(own->values);
  *depth = own->depth;
  cctx__unlock();
  return values;
}

/* Put `values` in the place of `before`, and give that of the two back which is not there then:
 * false if another is in its place by now. */
static bool replace(struct variables *own, cctx *before, cctx *values, unsigned depth) {
  bool is_first;
  cctx__lock();
  is_first = own->values == before;
  if (is_first) {
    own->values = values;
    own->depth = depth;
  }
  cctx__unlock();
  cctx_unref(is_first ? before : values);
  return is_first;
}

static cctx *derive(cctx *before, unsigned depth, cctx_key *key, cctx_variant value) {
  cctx *base = depth < DEPTH_MAX ? cctx_ref(before) : cctx_detached(before, 0);
  cctx *values = base ? cctx_with_value(base, key, value) : NULL;
  cctx_unref(base);
  return values;
}

int cctx_variable_set(cctx *ctx, cctx_key *key, cctx_variant value) {
  struct variables *own;
  bool is_set;
  assert(cctx__is_live(ctx) && "cctx_variable_set: no context, or one given back");
  own = ctx->mark ? ctx->mark->own : NULL;
  if (own == NULL) return CCTX_ENOTFOUND;
  if (cctx__has_one_owner(&value))
    return CCTX_EINVAL; /* it is stored more than once here */
  do {
    unsigned depth;
    cctx *before = take(own, &depth);
    cctx *values = derive(before, depth, key, value);
    is_set = values && replace(own, before, values, depth < DEPTH_MAX ? depth + 1 : 1);
    cctx_unref(before);
    if (values == NULL) return CCTX_ENOMEM;
  } while (!is_set);
  return CCTX_OK;
}

cctx *cctx_variables(const cctx *ctx) {
  unsigned depth;
  assert(cctx__is_live(ctx) && "cctx_variables: no context, or one given back");
  return ctx->mark && ctx->mark->own ? take(ctx->mark->own, &depth) : NULL;
}
