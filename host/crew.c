/* SPDX-License-Identifier: Apache-2.0 */
/* A crew: the worker threads of one language, from their start to their end. */
#define _GNU_SOURCE 1
#include "crew.h"

#include <stdio.h>
#include <string.h>

static void *run_thread(void *arg) {
  struct crew *crew = arg;
  crew->work(crew, crew->arg);
  pthread_mutex_lock(&crew->lock);
  crew->ended++;
  condition_signal(&crew->changed);
  pthread_mutex_unlock(&crew->lock);
  return NULL;
}

bool crew_start(struct crew *crew, unsigned n, void (*work)(struct crew *, void *),
                void *arg) {
  crew->work = work;
  crew->arg = arg;
  for (; crew->size < n; crew->size++) {
    int failed = pthread_create(&crew->threads[crew->size], NULL, run_thread, crew);
    if (failed) {
      crew_fail(crew, strerror(failed));
      break;
    }
  }
  pthread_mutex_lock(&crew->lock);
  while (crew->ready < crew->size && crew->failed == 0)
    condition_wait(&crew->changed, &crew->lock, CCTX_NEVER);
  bool ok = crew->failed == 0;
  pthread_mutex_unlock(&crew->lock);
  return ok;
}

void crew_ready(struct crew *crew) {
  pthread_mutex_lock(&crew->lock);
  crew->ready++;
  condition_signal(&crew->changed);
  pthread_mutex_unlock(&crew->lock);
}

void crew_fail(struct crew *crew, const char *why) {
  pthread_mutex_lock(&crew->lock);
  if (crew->failed++ == 0) snprintf(crew->why, sizeof crew->why, "%s", why);
  condition_signal(&crew->changed);
  pthread_mutex_unlock(&crew->lock);
}

bool crew_join(struct crew *crew, int64_t deadline) {
  pthread_mutex_lock(&crew->lock);
  while (crew->ended < crew->size)
    if (!condition_wait(&crew->changed, &crew->lock, deadline)) break;
  bool ended = crew->ended == crew->size;
  pthread_mutex_unlock(&crew->lock);
  for (unsigned i = 0; ended && i < crew->size; i++) pthread_join(crew->threads[i], NULL);
  return ended;
}
