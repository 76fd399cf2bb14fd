/* SPDX-License-Identifier: Apache-2.0 */
/* Sweepers: started and stopped by whoever has something to be swept. */
#include "sweeper.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

#include "alarm.h"
#include "lock.h"
#include "memory.h"

struct sweeper {
  bool stopped;   /* guarded by the lock */
  bool is_orphan; /* stopped from inside: it frees itself; its own thread's */
  unsigned epoch; /* of the process that has its thread */
  pthread_t thread;
  int64_t interval;
  void (*sweep)(void *arg);
  void *arg;
};

static int64_t time_after(int64_t interval) {
  struct timespec t;
  int64_t now;
  clock_gettime(CLOCK_MONOTONIC, &t);
  now = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
  return interval < INT64_MAX - now ? now + interval : INT64_MAX;
}

/* False when it was stopped. */
static bool wait_for_turn(struct sweeper *sweeper) {
  int64_t turn = time_after(sweeper->interval);
  bool goes_on;
  cctx__lock();
  while (!sweeper->stopped && time_after(0) < turn) cctx__wait(turn);
  goes_on = !sweeper->stopped;
  cctx__unlock();
  return goes_on;
}

static void *run(void *memory) {
  struct sweeper *sweeper = memory;
  const unsigned epoch = cctx__fork_epoch();
  while (wait_for_turn(sweeper)) {
    sweeper->sweep(sweeper->arg);
    if (epoch != cctx__fork_epoch())
      break; /* a hook forked: in the child it is no sweeper */
    if (!sweeper->is_orphan) continue;
    cctx__free(sweeper);
    break;
  }
  return NULL;
}

struct sweeper *cctx__sweeper_start(int64_t interval, void (*sweep)(void *arg), void *arg) {
  struct sweeper *sweeper = cctx__alloc(sizeof *sweeper);
  sigset_t all, before;
  int status;
  if (sweeper == NULL) return NULL;
  *sweeper = (struct sweeper){.interval = interval, .sweep = sweep, .arg = arg};
  sweeper->epoch = cctx__fork_epoch();
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  status = pthread_create(&sweeper->thread, NULL, run, sweeper);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (status == 0) return sweeper;
  cctx__free(sweeper);
  return NULL;
}

void cctx__sweeper_stop(struct sweeper *sweeper) {
  bool is_here = sweeper && sweeper->epoch == cctx__fork_epoch();
  if (is_here && pthread_equal(sweeper->thread, pthread_self())) {
    pthread_detach(sweeper->thread);
    sweeper->is_orphan = true;
    return;
  }
  if (is_here) {
    cctx__lock();
    sweeper->stopped = true;
    cctx__wake();
    cctx__unlock();
    pthread_join(sweeper->thread, NULL);
  }
  cctx__free(sweeper);
}
