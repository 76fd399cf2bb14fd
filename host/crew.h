/* SPDX-License-Identifier: Apache-2.0 */
/* A crew: the worker threads of one language, from their start to their end. */
#ifndef HOST_CREW_H
#define HOST_CREW_H

#include "wait.h"

enum { CREW_MAX = 256 };

struct crew {
  pthread_mutex_t lock;
  struct condition changed;
  unsigned size, ready, failed, ended; /* under `lock` */
  char why[512];                       /* of the first that failed */
  void (*work)(struct crew *crew, void *arg);
  void *arg;
  pthread_t threads[CREW_MAX];
};

#define CREW_INIT                                                                          \
  { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = CONDITION_INIT }

/* Start `n` threads that each call work(crew, arg), and wait until each of them has called
 * crew_ready. false, with a sentence in crew->why, if one of them failed. */
bool crew_start(struct crew *crew, unsigned n, void (*work)(struct crew *, void *),
                void *arg);

/* The worker's own report. It returns from `work` after crew_fail. */
void crew_ready(struct crew *crew);
void crew_fail(struct crew *crew, const char *why);

/* Wait for the end of them all, none if none was started: false if `deadline` passes. */
bool crew_join(struct crew *crew, int64_t deadline);

#endif
