/* SPDX-License-Identifier: Apache-2.0 */
/* The client's side: what a context lost, taken over from a session.
 *
 * The steps are those of the reference, in its order: is there a session, of the kind that is
 * a context, and is it valid; then the handler decides; then the metadata that the outcome has
 * not got are added. What a recovery asks for besides comes after them.
 */
#include <cctx/backup.h>

#include <assert.h>

#include "config.h"
#include "context.h"
#include "memory.h"
#include "metadata.h"
#include "session.h"

static const struct cctx_recovery usual;

const char *cctx_recover_reason_word(int reason) {
  switch (reason) {
#define XX(name, word)                                                                     \
  case CCTX_REASON_##name: return word;
    CCTX_RECOVER_REASON_MAP(XX)
#undef XX
  default: return NULL;
  }
}

/* A recovery under way. */
struct recovery {
  cctx *prev; /* borrowed */
  cctx *ctx;  /* owned: what has been made of the caller's context so far */
  const struct cctx_recovery *how;
  struct cctx_recovered did;
};

/* ---- Whether ---------------------------------------------------------------------- */

/* A session is as good as it says; but one may be asked to recover from what is over. */
static enum cctx_recover_reason examine(const cctx *prev, int state, unsigned flags) {
  if (!cctx__config_enabled()) return CCTX_REASON_OFF;
  if (prev == NULL)
    return state == CCTX_SESSION_ENDED ? CCTX_REASON_ENDED : CCTX_REASON_NO_SESSION;
  if (prev->mark->own) return CCTX_REASON_MUTABLE;
  if (flags & CCTX_RECOVER_INVALID) return CCTX_REASON_RECOVERED;
  if (state == CCTX_SESSION_ENDED) return CCTX_REASON_ENDED;
  return state == CCTX_SESSION_DISABLED ? CCTX_REASON_DISABLED : CCTX_REASON_RECOVERED;
}

/* 1 to go on, 0 if it declined, or a negative code. */
static int ask_handler(struct recovery *recovery, cctx *cur) {
  cctx *other = NULL;
  int decision;
  if (recovery->how->handler == NULL) return 1;
  decision = recovery->how->handler(recovery->how->arg, recovery->prev, cur, &other);
  if (decision <= 0 || other == NULL) {
    cctx_unref(other);
    return decision > 0 ? 1 : decision;
  }
  recovery->did.handled = other != cur;
  cctx_unref(recovery->ctx);
  recovery->ctx = other;
  return 1;
}

/* ---- What ------------------------------------------------------------------------- */

static int replace(struct recovery *recovery, cctx *ctx) {
  if (ctx == NULL) return CCTX_ENOMEM;
  cctx_unref(recovery->ctx);
  recovery->ctx = ctx;
  return CCTX_OK;
}

static bool is_wanted(const struct recovery *recovery, unsigned scope) {
  unsigned scopes = recovery->how->scopes;
  if (scopes == 0) scopes = CCTX_SCOPE_BIT(CCTX_REQUEST);
  return (scopes & CCTX_SCOPE_BIT(scope)) != 0;
}

/* Whether the outcome lacks all pairs of the session, and each is of a scope to be recovered. */
static bool lacks_all(const struct recovery *recovery) {
  const struct pairs *table = cctx__metadata_seen(recovery->prev);
  if (cctx_metadata_count(recovery->ctx) > 0) return false;
  for (size_t i = 0; i < table->n; i++)
    if (!is_wanted(recovery, table->at[i].scope)) return false;
  return true;
}

/* Then the table is copied as it is: it was within the budget. */
static int copy_table(struct recovery *recovery) {
  struct recipe recipe = {.old = cctx__metadata_seen(recovery->prev), .copies = true};
  cctx *ctx;
  int status = cctx__metadata_derive(__builtin_return_address(0), &ctx, recovery->ctx,
                                     &recipe, NULL);
  if (status != CCTX_OK) return status;
  recovery->did.pairs = (unsigned)recipe.old->n;
  return replace(recovery, ctx);
}

/* The pairs of the session in these scopes that the outcome has not got. */
static size_t collect_pairs(const struct recovery *recovery,
                            struct cctx_metadata_pair *pairs) {
  struct cctx_metadata_pair pair;
  size_t n = 0;
  for (size_t i = 0; cctx_metadata_at(recovery->prev, i, &pair) == CCTX_OK; i++)
    if (is_wanted(recovery, (unsigned)pair.scope) &&
        cctx_metadata(recovery->ctx, pair.name, NULL) == NULL)
      pairs[n++] = pair;
  return n;
}

/* What goes over a budget is left out: the caller's own was there first. */
static int add_pairs(struct recovery *recovery, struct cctx_metadata_pair *pairs,
                     size_t n) {
  cctx *ctx;
  size_t bad;
  int status;
  while (n > 0) {
    status = cctx_with_metadata(&ctx, recovery->ctx, pairs, n, &bad);
    if (status == CCTX_OK) {
      recovery->did.pairs = (unsigned)n;
      return replace(recovery, ctx);
    }
    if (status == CCTX_ENOMEM) return status;
    recovery->did.left_out++;
    for (n--; bad < n; bad++) pairs[bad] = pairs[bad + 1];
  }
  return CCTX_OK;
}

static int take_metadata(struct recovery *recovery) {
  size_t most = cctx_metadata_count(recovery->prev);
  struct cctx_metadata_pair *pairs;
  int status;
  if (most == 0 || (recovery->how->flags & CCTX_RECOVER_NO_METADATA)) return CCTX_OK;
  if (lacks_all(recovery)) return copy_table(recovery);
  pairs = cctx__alloc(most * sizeof *pairs);
  if (pairs == NULL) return CCTX_ENOMEM;
  status = add_pairs(recovery, pairs, collect_pairs(recovery, pairs));
  cctx__free(pairs);
  return status;
}

static int take_values(struct recovery *recovery) {
  const struct cctx_recovery *how = recovery->how;
  struct cctx_entry *entries;
  cctx_variant value;
  size_t n = 0;
  int status = CCTX_OK;
  if (how->keys_n == 0) return CCTX_OK;
  if (how->keys_n > SIZE_MAX / sizeof *entries) return CCTX_ENOMEM;
  entries = cctx__alloc(how->keys_n * sizeof *entries);
  if (entries == NULL) return CCTX_ENOMEM;
  for (size_t i = 0; i < how->keys_n; i++)
    if (cctx_value(recovery->ctx, how->keys[i], &value) == CCTX_ENOTFOUND &&
        cctx_value(recovery->prev, how->keys[i], &value) == CCTX_OK &&
        !cctx__has_one_owner(&value))
      entries[n++] = (struct cctx_entry){(cctx_key *)how->keys[i], value};
  if (n > 0) status = replace(recovery, cctx_with_values(recovery->ctx, entries, n));
  cctx__free(entries);
  recovery->did.values = (unsigned)n;
  return status;
}

/* Who gets the session's cancellation gets its deadline with it. */
static int take_limits(struct recovery *recovery) {
  unsigned flags = recovery->how->flags;
  cctx *parents[] = {recovery->ctx, recovery->prev};
  bool earlier = cctx_deadline(recovery->prev) < cctx_deadline(recovery->ctx);
  if ((flags & CCTX_RECOVER_CANCELLATION) && cctx_can_be_done(recovery->prev) &&
      !cctx__descends(recovery->ctx, recovery->prev)) {
    recovery->did.cancellation = true;
    recovery->did.deadline = earlier;
    return replace(recovery, cctx_merge(parents, 2));
  }
  if (!(flags & CCTX_RECOVER_DEADLINE) || !earlier) return CCTX_OK;
  recovery->did.deadline = true;
  return replace(recovery,
                 cctx_with_deadline_cause(recovery->ctx, cctx_deadline(recovery->prev),
                                          "the deadline of the session"));
}

static int take(struct recovery *recovery) {
  int status = take_metadata(recovery);
  if (status == CCTX_OK) status = take_values(recovery);
  if (status == CCTX_OK) status = take_limits(recovery);
  return status;
}

/* ---- The whole -------------------------------------------------------------------- */

static bool did_anything(const struct cctx_recovered *did) {
  return did->handled || did->pairs || did->values || did->deadline || did->cancellation;
}

static int recover(struct recovery *recovery, cctx *cur) {
  int decision = ask_handler(recovery, cur), status;
  if (decision < 0) return decision;
  if (decision == 0) {
    recovery->did.reason = CCTX_REASON_DECLINED;
    return CCTX_OK;
  }
  status = take(recovery);
  if (!did_anything(&recovery->did)) recovery->did.reason = CCTX_REASON_COMPLETE;
  return status;
}

int cctx_recover(cctx **out, cctx *prev, cctx *cur, const struct cctx_recovery *how,
                 struct cctx_recovered *result) {
  struct recovery recovery = {.how = how ? how : &usual};
  int status = CCTX_OK, state;
  assert(cctx__is_live(cur) && "cctx_recover: no context, or one given back");
  if (prev) {
    state = cctx_session_state(prev);
    prev = state == CCTX_SESSION_NONE ? NULL : cctx_ref(prev);
  } else {
    prev = cctx_session_current(&state);
  }
  recovery.prev = prev;
  recovery.ctx = cctx_ref(cur);
  recovery.did.reason = examine(prev, state, recovery.how->flags);
  if (recovery.did.reason == CCTX_REASON_RECOVERED) status = recover(&recovery, cur);
  if (status == CCTX_OK) {
    *out = recovery.ctx;
    if (result) *result = recovery.did;
  } else {
    cctx_unref(recovery.ctx);
  }
  cctx_unref(prev);
  return status;
}
