/* SPDX-License-Identifier: Apache-2.0 */
/* The tree: how nodes are made and kept.
 *
 * Invariants
 *   A child owns a reference to its parent, never the other way round: a node is freed only
 *   after all of its descendants, so every pointer upwards is good as long as the node is.
 *   `stopper`, `values`, `metadata` and `response` point at the node itself or at an ancestor, and are
 *   borrowed for that reason. So are the texts of metadata that a node's table took over
 *   from an ancestor's.
 */
#include "context.h"

#include <assert.h>
#include <string.h>

#include <cctx/interpreter.h>

#include "copies.h"
#include "mark.h"
#include "memory.h"
#include "strict.h"

static cctx background = {.deadline = CCTX_NEVER, .due = CCTX_NEVER, .magic = CCTX__LIVE};
static cctx todo = {.deadline = CCTX_NEVER, .due = CCTX_NEVER, .magic = CCTX__LIVE};
static atomic_size_t alive;

/* No program works with nodes and lacks the note by which its core is found. */
__attribute__((used)) static const struct cctx__core *const noted = &cctx__core;

cctx *cctx_background(void) { return &background; }
cctx *cctx_todo(void) { return &todo; }

size_t cctx_alive(void) { return atomic_load(&alive); }

static bool is_immortal(const cctx *ctx) { return ctx == &background || ctx == &todo; }

cctx *cctx_ref(cctx *ctx) {
  size_t before;
  assert(cctx__is_live(ctx) && "cctx_ref: no context, or one given back");
  if (is_immortal(ctx)) return ctx;
  before = atomic_fetch_add_explicit(&ctx->refs, 1, memory_order_relaxed);
  assert(before > 0 && "cctx_ref: the context was given back already");
  (void)before;
  return ctx;
}

size_t cctx_references(const cctx *ctx) {
  return atomic_load_explicit(&ctx->refs, memory_order_acquire);
}

bool cctx_has_ended(const cctx *ctx) {
  assert(cctx__is_live(ctx) && "cctx_has_ended: no context, or one given back");
  return cctx__mark_has_ended(ctx->mark);
}

bool cctx__give_back(cctx *ctx) {
  size_t before;
  if (ctx == NULL || is_immortal(ctx)) return false;
  assert(cctx__is_live(ctx) && "cctx_unref: the context was given back already");
  before = atomic_fetch_sub_explicit(&ctx->refs, 1, memory_order_acq_rel);
  assert(before > 0 && "cctx_unref: the context was given back already");
  return before == 1;
}

void cctx__node_free(cctx *ctx) {
  ctx->magic = 0;
  cctx__free(ctx);
  atomic_fetch_sub(&alive, 1);
}

/* Whoever derives from it holds it, so it was handed over, and may live on: but to what end? */
void cctx__parent_check(const void *caller, const cctx *parent) {
  const struct mark *mark = parent->mark;
  if (!cctx__is_strict() || !cctx_has_ended(parent)) return;
  while (!atomic_load(&mark->ended)) mark = mark->outer;
  cctx__misuse("a context of the request that ended at %s:%d is the parent of a new one, "
               "made by code at %p",
               mark->end.file, mark->end.line, caller);
}

cctx *cctx__node_new_for(const void *caller, cctx *parent, size_t room) {
  cctx *ctx;
  if (parent) cctx__parent_check(caller, parent);
  if (room > SIZE_MAX / 2) return NULL;
  ctx = cctx__alloc(CCTX__ALIGN(sizeof *ctx) + room);
  if (ctx == NULL) return NULL;
  memset(ctx, 0, sizeof *ctx);
  atomic_init(&ctx->refs, 1);
  ctx->deadline = ctx->due = CCTX_NEVER;
  ctx->magic = CCTX__LIVE;
  if (parent) {
    ctx->parent = cctx_ref(parent);
    ctx->stopper = parent->stopper;
    ctx->values = parent->values;
    ctx->metadata = parent->metadata;
    ctx->response = parent->response;
    ctx->deadline = parent->deadline;
    ctx->due = parent->due;
    ctx->graced = parent->graced;
    ctx->mark = parent->mark;
  }
  atomic_fetch_add(&alive, 1);
  return ctx;
}
