/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong with contexts that nobody passes on: lost, left behind, forgotten. */
#include <cctx/backup.h>

#include <assert.h>
#include <stdatomic.h>

#include "context.h"
#include "manager.h"
#include "memory.h"
#include "scope.h"
#include "session.h"
#include "strict.h"

static _Atomic uint64_t lost;

/* ---- Egress ------------------------------------------------------------------------ */

static const cctx *root_of(const cctx *ctx) {
  while (ctx->parent) ctx = ctx->parent;
  return ctx;
}

static bool bears(const cctx *ctx, const struct mark *mark) {
  const struct mark *at = ctx->mark;
  while (at && at != mark) at = at->outer;
  return at != NULL;
}

/* A handler may have been given what the session was made of: that is not lost. Nor is what was
 * detached on purpose, which has a root of its own. */
static bool is_lost(const cctx *ctx, const cctx *session) {
  const cctx *root = root_of(ctx), *made_of = session;
  if (root != cctx_background() && root != cctx_todo()) return false;
  if (bears(ctx, session->mark)) return false;
  while (made_of->mark == session->mark) made_of = made_of->parent;
  return made_of == root || !cctx__descends(ctx, made_of);
}

int cctx_check_egress_at(const cctx *ctx, const cctx *current, const char *file, int line) {
  cctx *own = current ? NULL : cctx_current_ref();
  int status = CCTX_OK;
  assert(cctx__is_live(ctx) && "cctx_check_egress: no context, or one given back");
  if (own) current = own;
  if (current->mark && is_lost(ctx, current)) {
    status = CCTX_ESTALE;
    atomic_fetch_add(&lost, 1);
    if (cctx__is_strict())
      cctx__misuse("the context of the call at %s:%d was not made of the session's, which "
                   "is current: it was lost on the way",
                   file ? file : "?", line);
  }
  cctx_unref(own);
  return status;
}

void cctx_backup_mistakes(struct cctx_backup_mistakes *out) {
  out->lost = atomic_load(&lost);
  out->stale = cctx_stale_detaches() + cctx__managers_stale();
  out->left = cctx__stacks_left();
}

/* ---- All that is there -------------------------------------------------------------- */

static void collect(struct gallery *gallery) {
  gallery->n = 0;
  cctx__sessions_show(gallery);
  cctx__managers_show(gallery);
}

static void empty(struct gallery *gallery) {
  size_t taken = gallery->n < gallery->room ? gallery->n : gallery->room;
  for (size_t i = 0; i < taken; i++) cctx_unref(gallery->at[i].ctx);
  cctx__free(gallery->at);
}

/* Count, make room for a few more than that, and take; again if there are still more by then. */
static int fill(struct gallery *gallery) {
  collect(gallery);
  while (gallery->n > gallery->room) {
    size_t room = gallery->n + gallery->n / 4 + 16;
    empty(gallery);
    *gallery = (struct gallery){.not_after = gallery->not_after};
    if (room > (size_t)INT32_MAX) return CCTX_ENOMEM;
    gallery->at = cctx__alloc(room * sizeof *gallery->at);
    if (gallery->at == NULL) return CCTX_ENOMEM;
    gallery->room = room;
    collect(gallery);
  }
  return CCTX_OK;
}

int cctx_sessions(int64_t age, cctx_session_visitor *fn, void *arg) {
  struct gallery gallery = {.not_after = cctx_deadline_after(age > 0 ? -age : 0)};
  int status = fill(&gallery);
  if (status != CCTX_OK) return status;
  for (size_t i = 0; i < gallery.n; i++) {
    const struct shown *shown = &gallery.at[i];
    struct cctx_session_info info = {.ctx = shown->ctx,
                                     .state = cctx_session_state(shown->ctx),
                                     .since = shown->since,
                                     .file = shown->made.file,
                                     .line = shown->made.line,
                                     .is_bound = shown->is_bound,
                                     .id = shown->id};
    fn(arg, &info);
  }
  status = (int)gallery.n;
  empty(&gallery);
  return status;
}
