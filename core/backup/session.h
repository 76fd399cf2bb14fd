/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions, for the rest of the store. */
#ifndef CCTX__SESSION_H
#define CCTX__SESSION_H

#include <cctx/session.h>

#include "context.h"
#include "mark.h"

/* A list of contexts with what is known of each, taken under a lock and shown without it. */
struct shown {
  cctx *ctx; /* owned */
  int64_t since;
  struct site made;
  bool is_bound;
  uint64_t id;
};
struct gallery {
  struct shown *at;
  size_t n, room;    /* more than there is room for are counted, and not taken */
  int64_t not_after; /* since */
};

/* Note one more, which a lock keeps from being freed. */
void cctx__gallery_add(struct gallery *gallery, cctx *ctx, int64_t since,
                       const struct site *made, const uint64_t *id);

/* All sessions there are. */
void cctx__sessions_show(struct gallery *gallery);

/* cctx_with_session_at, with `room` bytes at `*more` (may be NULL) for who has something of its
 * own there; its drop calls cctx__session_drop. It is listed when all of it is there. */
cctx *cctx__session_new(cctx *parent, int64_t timeout, size_t room, void **more,
                        const char *file, int line);
cctx *cctx__session_listed(cctx *ctx);
void cctx__session_drop(cctx *ctx);

/* A pointer that is given back once, and of which nobody can have a reference more. */
static inline bool cctx__has_one_owner(const cctx_variant *value) {
  return value->type == CCTX_POINTER && value->as.p.release && !value->as.p.retain;
}

/* Whether `from` is `ctx` or an ancestor of it. */
bool cctx__descends(const cctx *ctx, const cctx *from);

/* The state at a time that was read before. Takes no lock. */
int cctx__session_state_at(const struct mark *mark, int64_t now);

#endif
