/* SPDX-License-Identifier: Apache-2.0 */
/* The library's own thread: it runs the callbacks that were registered with no loop. It is
 * started by the first of them, never ends, takes no signal, and sleeps until the nearest
 * deadline. It does not survive a fork; the child starts its own when it needs one.
 */
#include "shared.h"

#include <pthread.h>
#include <signal.h>

#include "clock.h"
#include "lock.h"
#include "loop.h"

/* Guarded by the lock. */
static cctx_loop loop;
static bool running;

/* What it was about to call belongs to the parent: it is found dead at the next run. */
static void forget_thread(void) {
  running = false;
  list_splice(&loop.ready, &loop.batch);
}

__attribute__((constructor)) static void begin(void) {
  cctx__loop_init(&loop);
  cctx__at_fork(forget_thread);
}

static void *run(void *unused) {
  (void)unused;
  cctx__lock();
  for (;;) {
    int64_t next = cctx__loop_next(&loop);
    if (next <= cctx_now())
      cctx__loop_run(&loop, cctx_now());
    else
      cctx__wait(cctx__clock_sleep_until(next));
  }
  return NULL;
}

static bool start(void) {
  sigset_t all, before;
  pthread_t thread;
  int status;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  status = pthread_create(&thread, NULL, run, NULL);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (status != 0) return false;
  pthread_detach(thread);
  return true;
}

cctx_loop *cctx__shared_loop(void) {
  bool ok;
  cctx__lock();
  /* A thread created with the lock held waits for it, and that is all. */
  ok = running || start();
  running = ok;
  cctx__unlock();
  return ok ? &loop : NULL;
}
