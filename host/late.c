/* SPDX-License-Identifier: Apache-2.0 */
/* Requests whose worker is late: their clients are answered without it.
 *
 * A thread sleeps until the first of them is late. All are few, and most end long before: so
 * it looks through the list, and only a request that is due sooner than any wakes it.
 */
#define _GNU_SOURCE 1
#include "late.h"

#include "wait.h"
#include "watch.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct condition changed = CONDITION_INIT;
static struct request *first;          /* under `lock` */
static int64_t next_look = CCTX_NEVER; /* under `lock` */
static bool started, ended;            /* under `lock` */
static pthread_t thread;

static int64_t due_of(const struct request *request) {
  int64_t deadline = cctx_deadline(request->ctx);
  return deadline > CCTX_NEVER - LATE_GRACE ? CCTX_NEVER : deadline + LATE_GRACE;
}

/* Under `lock`, so that late_end waits until the connection has been resumed. */
static void answer_late(int64_t now) {
  next_look = CCTX_NEVER;
  for (struct request *request = first; request; request = request->late_next) {
    if (request->late) continue;
    if (request->due > now) {
      if (request->due < next_look) next_look = request->due;
      continue;
    }
    watch_end(request);
    request->late = true;
    request->resume(request);
  }
}

static void *look(void *unused) {
  (void)unused;
  pthread_mutex_lock(&lock);
  while (!ended) {
    answer_late(cctx_now());
    condition_wait(&changed, &lock, next_look);
  }
  pthread_mutex_unlock(&lock);
  return NULL;
}

int late_start(void) {
  int failed = pthread_create(&thread, NULL, look, NULL);
  started = !failed;
  return failed;
}

void late_stop(void) {
  if (!started) return;
  pthread_mutex_lock(&lock);
  ended = true;
  condition_signal(&changed);
  pthread_mutex_unlock(&lock);
  pthread_join(thread, NULL);
  started = false;
}

void late_begin(struct request *request) {
  pthread_mutex_lock(&lock);
  request->due = due_of(request);
  request->late_next = first;
  request->late_link = &first;
  if (first) first->late_link = &request->late_next;
  first = request;
  if (request->due < next_look) {
    next_look = request->due;
    condition_signal(&changed);
  }
  pthread_mutex_unlock(&lock);
}

void late_end(struct request *request) {
  pthread_mutex_lock(&lock);
  *request->late_link = request->late_next;
  if (request->late_next) request->late_next->late_link = request->late_link;
  pthread_mutex_unlock(&lock);
}
