/* SPDX-License-Identifier: Apache-2.0 */
/* Observers: who is told when a context is done. */
#ifndef CCTX__OBSERVER_H
#define CCTX__OBSERVER_H

#include <cctx/current.h>
#include <cctx/loop.h>

#include "alarm.h"
#include "heap.h"
#include "list.h"
#include "pool.h"

#include <pthread.h>

/* Where observers wait for the thread that calls them. Guarded by the lock. */
struct cctx_loop {
  struct list ready; /* struct observer, to be called at the next run */
  bool running;
  unsigned epoch;      /* of the process that it runs in */
  struct list batch;   /* to be called by the run that is on */
  struct heap timers;  /* of the observers whose context has a deadline, while they wait */
  struct list waiting; /* struct observer.mine: all that wait, so that free finds them */
  struct alarm alarm;
};

enum observer_state {
  OBSERVER_FREE,
  OBSERVER_WAITING, /* on its watch, and perhaps in the loop's timers */
  OBSERVER_READY,   /* on the loop's ready list or batch, or on the canceler's list */
  OBSERVER_RUNNING
};

/* Type-stable. Guarded by the lock. */
struct observer {
  struct pool_item item;
  enum observer_state state;
  unsigned epoch; /* of the process that registered it: in the child of a fork it is dead */
  cctx *ctx;      /* owned */
  cctx_done_fn *fn;
  void *arg;
  cctx_loop *loop;        /* that calls it */
  bool is_inline;         /* unless a canceler does: then `loop` is for its deadline */
  struct list link;       /* on what its state says */
  struct list mine;       /* in loop->waiting, as long as it waits */
  struct heap_node timer; /* in loop->timers */
  struct scope *reserved; /* for background, while it is called */
  cctx_token token;       /* of that */
  pthread_t runner;
};

/* What was told by a cancellation: hand it to the loops. What is to run on this thread is left
 * in `told`: true if there is any. Under the lock. */
bool cctx__observers_tell(struct list *told);

/* The observers on a watch will be ready at `time`, which is earlier than they knew. */
void cctx__observers_expect(struct list *observers, int64_t time);

/* Call what is left in `told`, without the lock, in order. */
void cctx__observers_call(struct list *told);

/* Call one observer, taken off its list. Lock held before and after, not meanwhile. */
void cctx__observer_call(struct observer *observer);

/* Make an observer that waits ready: its time has come. Under the lock. */
void cctx__observer_ready(struct observer *observer);

/* Take an observer that waits off every list. Under the lock. */
void cctx__observer_unlink(struct observer *observer);

/* A new observer of this process, in no list; NULL for lack of memory. */
struct observer *cctx__observer_take(void);

/* End the use of an observer: the context it kept is the caller's to give back, without the
 * lock. */
cctx *cctx__observer_retire(struct observer *observer);

#endif
