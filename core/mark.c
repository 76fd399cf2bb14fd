/* SPDX-License-Identifier: Apache-2.0 */
/* Marks: how a request's begins, and how it ends, once. */
#include "mark.h"

#include "lock.h"

void cctx__mark_init(struct mark *mark, const struct mark *outer) {
  mark->outer = outer;
  atomic_init(&mark->ended, false);
  cctx__site_set(&mark->end, NULL, 0);
  atomic_init(&mark->disabled, false);
  mark->limit = CCTX_NEVER;
  mark->own = NULL;
}

bool cctx__mark_end(struct mark *mark, const char *file, int line) {
  bool first;
  cctx__lock();
  first = !atomic_load(&mark->ended);
  if (first) {
    cctx__site_set(&mark->end, file, line);
    atomic_store(&mark->ended, true);
  }
  cctx__unlock();
  return first;
}
