/* SPDX-License-Identifier: Apache-2.0 */
/* The mark of a request, which all that is derived from its context bears. */
#ifndef CCTX__MARK_H
#define CCTX__MARK_H

#include <stdatomic.h>

#include "site.h"

/* Part of the node that began the request; the node lives as long as any that bears the mark. */
struct mark {
  const struct mark *outer; /* of the request inside which this one began; NULL: none */
  atomic_bool ended;        /* false to true once; whoever sees it true may read: */
  struct site end;          /* where */

  atomic_bool disabled;  /* false to true once: as a session it is used no more */
  int64_t limit;         /* from when on that is so without a word; CCTX_NEVER: never */
  struct variables *own; /* of a session of the mutable kind; NULL: it is none */
};

/* Whether a request that bears it has ended. */
static inline bool cctx__mark_has_ended(const struct mark *mark) {
  while (mark && !atomic_load(&mark->ended)) mark = mark->outer;
  return mark != NULL;
}

void cctx__mark_init(struct mark *mark, const struct mark *outer);

/* False if it had ended. Takes the lock. */
bool cctx__mark_end(struct mark *mark, const char *file, int line);

#endif
