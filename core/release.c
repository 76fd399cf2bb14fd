/* SPDX-License-Identifier: Apache-2.0 */
/* Giving back: what happens when nobody holds a node any more.
 *
 * Nothing recurses: a chain of any depth is freed by the loop in cctx_unref. The release hooks of
 * values are foreign code that runs wherever the last reference happens to go, and works for
 * nobody: it runs with background current.
 */
#include "context.h"
#include "current.h"
#include "entries.h"

static void run_hooks(void *bag) { cctx__entries_drop(bag); }

/* Give one reference back; if it was the last, put `ctx` on the list of the dead. */
static void give_back(cctx *ctx, cctx **dead) {
  if (!cctx__give_back(ctx)) return;
  ctx->next_dead = *dead;
  *dead = ctx;
}

void cctx_unref(cctx *ctx) {
  cctx *dead = NULL;
  give_back(ctx, &dead);
  while ((ctx = dead) != NULL) {
    dead = ctx->next_dead;
    if (ctx->drop) ctx->drop(ctx);
    if (ctx->bag && cctx__entries_have_hooks(ctx->bag))
      cctx__call_for_nobody(run_hooks, ctx->bag);
    give_back(ctx->parent, &dead);
    for (size_t i = 0; i < ctx->kept_n; i++) give_back(ctx->kept[i], &dead);
    cctx__node_free(ctx);
  }
}
