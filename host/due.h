/* SPDX-License-Identifier: Apache-2.0 */
/* What is due at a time, unless it is taken back before: one thread does it. */
#ifndef HOST_DUE_H
#define HOST_DUE_H

#include <cctx.h>

/* Owned by whoever adds it, and zero but for `fire` before that. */
struct due {
  int64_t at; /* a time of cctx_now() */
  /* Called once, when it is time, with due_remove waiting for its end: it may not add or
   * remove any. */
  void (*fire)(struct due *due);
  struct due *next, **link; /* link: NULL while it is not to be done */
};

/* 0, or an error number. */
int due_start(void);

/* What is still to be done is not. */
void due_stop(void);

void due_add(struct due *due, int64_t at);

/* When this returns it has been done, or never will be. Nothing if it was never added. */
void due_remove(struct due *due);

#endif
