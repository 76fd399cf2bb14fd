/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: nodes with a mark and nothing else of their own, listed as long as they live.
 *
 * The list is there to be shown. A session leaves it when it is freed, under the lock: who looks
 * through it may meet one whose last reference has just gone, and passes it by.
 */
#include "session.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include <cctx/interpreter.h>

#include "list.h"

struct session {
  struct mark mark;
  struct list link; /* in the list of all */
  cctx *node;       /* whose part this is */
  int64_t since;
  struct site made;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the list */
static struct list sessions = {&sessions, &sessions};

static void lock_it(void) { pthread_mutex_lock(&lock); }
static void unlock_it(void) { pthread_mutex_unlock(&lock); }

__attribute__((constructor)) static void guard_forks(void) {
  pthread_atfork(lock_it, unlock_it, unlock_it);
}

void cctx__session_drop(cctx *ctx) {
  struct session *session = cctx__room(ctx);
  lock_it();
  list_remove(&session->link);
  unlock_it();
}

cctx *cctx__session_new(cctx *parent, int64_t timeout, size_t room, void **more,
                        const char *file, int line) {
  cctx *ctx = cctx__node_new(parent, CCTX__ALIGN(sizeof(struct session)) + room);
  struct session *session;
  if (ctx == NULL) return NULL;
  session = cctx__room(ctx);
  if (more) *more = (char *)session + CCTX__ALIGN(sizeof *session);
  cctx__mark_init(&session->mark, parent->mark);
  session->mark.limit = cctx_deadline_after(timeout);
  session->node = ctx;
  session->since = cctx_now();
  cctx__site_set(&session->made, file, line);
  ctx->mark = &session->mark;
  ctx->drop = cctx__session_drop;
  return ctx;
}

cctx *cctx__session_listed(cctx *ctx) {
  struct session *session = cctx__room(ctx);
  lock_it();
  list_append(&sessions, &session->link);
  unlock_it();
  return ctx;
}

cctx *cctx_with_session_at(cctx *parent, int64_t timeout, const char *file, int line) {
  cctx *ctx;
  assert(cctx__is_live(parent) && "cctx_with_session: no parent, or one given back");
  ctx = cctx__session_new(parent, timeout, 0, NULL, file, line);
  return ctx ? cctx__session_listed(ctx) : NULL;
}

/* ---- States ------------------------------------------------------------------- */

const char *cctx_session_state_word(int state) {
  switch (state) {
  case CCTX_SESSION_NONE: return "none";
  case CCTX_SESSION_VALID: return "valid";
  case CCTX_SESSION_DISABLED: return "disabled";
  case CCTX_SESSION_ENDED: return "ended";
  default: return NULL;
  }
}

static bool is_disabled(const struct mark *mark, int64_t now) {
  return now >= mark->limit || atomic_load(&mark->disabled);
}

int cctx__session_state_at(const struct mark *mark, int64_t now) {
  int state = mark ? CCTX_SESSION_VALID : CCTX_SESSION_NONE;
  for (; mark; mark = mark->outer) {
    if (atomic_load(&mark->ended)) return CCTX_SESSION_ENDED;
    if (is_disabled(mark, now)) state = CCTX_SESSION_DISABLED;
  }
  return state;
}

/* Without a limit the clock is not looked at. */
int cctx_session_state(const cctx *ctx) {
  const struct mark *mark = ctx->mark;
  assert(cctx__is_live(ctx) && "cctx_session_state: no context, or one given back");
  while (mark && mark->limit == CCTX_NEVER) mark = mark->outer;
  return cctx__session_state_at(ctx->mark, mark ? cctx_now() : INT64_MIN);
}

int cctx_session_disable(cctx *ctx) {
  int state = cctx_session_state(ctx);
  if (state == CCTX_SESSION_NONE) return CCTX_ENOTFOUND;
  if (atomic_exchange(&ctx->mark->disabled, true)) return 0;
  return state == CCTX_SESSION_VALID;
}

int cctx_session_end_at(cctx *ctx, const char *file, int line) {
  assert(cctx__is_live(ctx) && "cctx_session_end: no context, or one given back");
  return ctx->mark ? cctx__mark_end(ctx->mark, file, line) : CCTX_ENOTFOUND;
}

bool cctx__descends(const cctx *ctx, const cctx *from) {
  while (ctx && ctx != from) ctx = ctx->parent;
  return ctx != NULL;
}

cctx *cctx_session_current(int *state) {
  cctx *ctx = cctx_current_ref();
  int found = cctx_session_state(ctx);
  if (found == CCTX_SESSION_NONE) {
    cctx_unref(ctx);
    ctx = NULL;
    if (cctx_current_status() == CCTX_CURRENT_ENDED) found = CCTX_SESSION_ENDED;
  }
  if (state) *state = found;
  return ctx;
}

/* ---- To be shown --------------------------------------------------------------- */

/* One more holder, unless there is none any more: then it is about to be freed. */
static bool take(cctx *ctx) {
  size_t refs = atomic_load(&ctx->refs);
  while (refs > 0)
    if (atomic_compare_exchange_weak(&ctx->refs, &refs, refs + 1)) return true;
  return false;
}

void cctx__gallery_add(struct gallery *gallery, cctx *ctx, int64_t since,
                       const struct site *made, const uint64_t *id) {
  struct shown *shown;
  if (since > gallery->not_after) return;
  if (gallery->n < gallery->room) {
    if (!take(ctx)) return;
    shown = &gallery->at[gallery->n];
    memset(shown, 0, sizeof *shown);
    shown->ctx = ctx;
    shown->since = since;
    if (made) shown->made = *made;
    shown->is_bound = id != NULL;
    shown->id = id ? *id : 0;
  }
  gallery->n++;
}

void cctx__sessions_show(struct gallery *gallery) {
  lock_it();
  for (struct list *at = sessions.next; at != &sessions; at = at->next) {
    struct session *session = LIST_ELEMENT(at, struct session, link);
    cctx__gallery_add(gallery, session->node, session->since, &session->made, NULL);
  }
  unlock_it();
}
