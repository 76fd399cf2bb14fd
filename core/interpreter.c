/* SPDX-License-Identifier: Apache-2.0 */
/* The registered interpreter.
 *
 * A thread may look without the interpreter's lock, at a thread state that the interpreter's
 * exit would free. So a reader first counts itself, then loads the hook; unhook first clears
 * the hook, then waits for the count to be 0. Both are sequentially consistent: a reader that
 * still got the hook is seen by the wait. `look` never blocks and runs no script, so the wait
 * is short, whatever locks its caller holds; what may run script code (attach, leave) is
 * called outside the count, and by a thread that holds the interpreter's lock or touches
 * nothing of it.
 */
#include "interpreter.h"

#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "lock.h"

_Atomic(const struct cctx_interpreter *) cctx__interpreter;
static atomic_size_t readers;

/* The other threads' looks did not survive the fork. */
static void forget_readers(void) { atomic_store(&readers, 0); }

__attribute__((constructor)) static void guard_forks(void) {
  cctx__at_fork(forget_readers);
}

int cctx_interpreter_hook(const struct cctx_interpreter *hook) {
  const struct cctx_interpreter *none = NULL;
  if (atomic_compare_exchange_strong(&cctx__interpreter, &none, hook) || none == hook)
    return CCTX_OK;
  return CCTX_EBUSY;
}

void cctx_interpreter_unhook(const struct cctx_interpreter *hook) {
  if (!atomic_compare_exchange_strong(&cctx__interpreter, &hook, NULL)) return;
  while (atomic_load(&readers) != 0) sched_yield();
}

const struct cctx_interpreter *cctx__look_begin(struct cctx_sight *sight) {
  const struct cctx_interpreter *hook;
  memset(sight, 0, sizeof *sight);
  if (cctx__looks_alone()) return NULL;
  atomic_fetch_add(&readers, 1);
  hook = atomic_load(&cctx__interpreter);
  if (hook)
    hook->look(sight);
  else
    atomic_fetch_sub(&readers, 1);
  return hook;
}

void cctx__look_end(const struct cctx_interpreter *hook) {
  if (hook) atomic_fetch_sub(&readers, 1);
}

const struct cctx_interpreter *cctx__look(struct cctx_sight *sight) {
  const struct cctx_interpreter *hook = cctx__look_begin(sight);
  cctx__look_end(hook);
  return hook;
}

/* Nor does it count if it switched and came back to the same Context object: nothing keeps that
 * object, so it may be another one at the address of one that is gone. */
bool cctx__same_place(const struct cctx_place *place, const struct cctx_place *now) {
  return place->thread != 0 && place->thread == now->thread &&
         place->version == now->version;
}
