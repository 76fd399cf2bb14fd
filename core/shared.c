/* SPDX-License-Identifier: Apache-2.0 */
/* The library's own thread: it runs the callbacks that were registered with no loop. It is
 * started by the first of them, never ends, takes no signal, and sleeps until the nearest
 * deadline. It does not survive a fork; the child starts its own when it needs one.
 */
#include "shared.h"

#include "clock.h"
#include "lock.h"
#include "loop.h"
#include "thread.h"

/* Guarded by the lock. */
static cctx_loop loop;
static struct own_thread thread;

static void forget_thread(void) { cctx__thread_forget(&thread); }

__attribute__((constructor)) static void begin(void) {
  cctx__loop_init(&loop);
  cctx__at_fork(forget_thread);
}

/* A callback that forks has this very thread go on in the child: then it ends, and the child
 * starts its own. */
static void *run(void *unused) {
  unsigned epoch;
  (void)unused;
  cctx__lock();
  for (epoch = cctx__fork_epoch(); epoch == cctx__fork_epoch();) {
    int64_t next = cctx__loop_next(&loop);
    if (next <= cctx_now())
      cctx__loop_run(&loop, cctx_now());
    else
      cctx__wait(cctx__clock_sleep_until(next));
  }
  cctx__unlock();
  return NULL;
}

cctx_loop *cctx__shared_loop(void) {
  return cctx__thread_need(&thread, run) ? &loop : NULL;
}
