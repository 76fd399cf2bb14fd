/* SPDX-License-Identifier: Apache-2.0 */
/* Threads of the library's own: started when first needed. */
#include "thread.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#include "lock.h"

static bool start(void *(*run)(void *)) {
  sigset_t all, before;
  pthread_t thread;
  int status;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  status = pthread_create(&thread, NULL, run, NULL);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (status == 0) pthread_detach(thread);
  return status == 0;
}

bool cctx__thread_need(struct own_thread *thread, void *(*run)(void *)) {
  bool ok;
  cctx__lock();
  while (thread->state == THREAD_STARTING) cctx__wait(INT64_MAX);
  ok = thread->state == THREAD_RUNNING;
  if (!ok) {
    thread->state = THREAD_STARTING;
    cctx__unlock();
    ok = start(run);
    cctx__lock();
    thread->state = ok ? THREAD_RUNNING : THREAD_NONE;
    cctx__wake();
  }
  cctx__unlock();
  return ok;
}

void cctx__thread_forget(struct own_thread *thread) { thread->state = THREAD_NONE; }
