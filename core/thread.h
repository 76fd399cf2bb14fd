/* SPDX-License-Identifier: Apache-2.0 */
/* A thread of the library's own. */
#ifndef CCTX__THREAD_H
#define CCTX__THREAD_H

#include <stdbool.h>

/* Started once in a process, and never ending; zero at the start. Guarded by the lock. */
struct own_thread {
  enum { THREAD_NONE, THREAD_STARTING, THREAD_RUNNING } state;
};

/* See to it that `run`(NULL) runs, with all signals blocked; false if it cannot be started. Called
 * without the lock: starting takes memory. */
bool cctx__thread_need(struct own_thread *thread, void *(*run)(void *));

/* In the child of a fork: it is not there. */
void cctx__thread_forget(struct own_thread *thread);

#endif
