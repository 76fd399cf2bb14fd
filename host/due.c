/* SPDX-License-Identifier: Apache-2.0 */
/* What is due at a time, unless it is taken back before: one thread does it.
 *
 * Most is taken back long before. So it is a list without order, and the thread looks through
 * it only when the earliest time that was ever in it since the last look has come.
 */
#define _GNU_SOURCE 1
#include "due.h"

#include <stdbool.h>

#include "wait.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct condition changed = CONDITION_INIT;
static struct due *first;              /* under `lock` */
static int64_t next_look = CCTX_NEVER; /* under `lock` */
static bool started, ended;            /* under `lock` */
static pthread_t thread;

static void unlink_due(struct due *due) {
  if (!due->link) return;
  *due->link = due->next;
  if (due->next) due->next->link = due->link;
  due->link = NULL;
}

static void fire_all(int64_t now) {
  struct due *next;
  next_look = CCTX_NEVER;
  for (struct due *due = first; due; due = next) {
    next = due->next;
    if (due->at > now) {
      if (due->at < next_look) next_look = due->at;
      continue;
    }
    unlink_due(due);
    due->fire(due);
  }
}

static void *look(void *unused) {
  (void)unused;
  pthread_mutex_lock(&lock);
  while (!ended) {
    fire_all(cctx_now());
    condition_wait(&changed, &lock, next_look);
  }
  pthread_mutex_unlock(&lock);
  return NULL;
}

int due_start(void) {
  int failed = pthread_create(&thread, NULL, look, NULL);
  started = !failed;
  return failed;
}

void due_stop(void) {
  if (!started) return;
  pthread_mutex_lock(&lock);
  ended = true;
  condition_signal(&changed);
  pthread_mutex_unlock(&lock);
  pthread_join(thread, NULL);
  started = false;
}

void due_add(struct due *due, int64_t at) {
  pthread_mutex_lock(&lock);
  due->at = at;
  due->next = first;
  due->link = &first;
  if (first) first->link = &due->next;
  first = due;
  if (at < next_look) {
    next_look = at;
    condition_signal(&changed);
  }
  pthread_mutex_unlock(&lock);
}

void due_remove(struct due *due) {
  pthread_mutex_lock(&lock);
  unlink_due(due);
  pthread_mutex_unlock(&lock);
}
