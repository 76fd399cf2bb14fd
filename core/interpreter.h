/* SPDX-License-Identifier: Apache-2.0 */
/* The registered interpreter, asked safely. */
#ifndef CCTX__INTERPRETER_H
#define CCTX__INTERPRETER_H

#include <stdatomic.h>

#include <cctx/interpreter.h>

extern _Atomic(const struct cctx_interpreter *) cctx__interpreter;

/* Whether there is none: then there is nothing to ask. */
static inline bool cctx__looks_alone(void) {
  return atomic_load_explicit(&cctx__interpreter, memory_order_relaxed) == NULL;
}

/* Ask where this thread stands: a sight of state NONE without an interpreter. Returns the
 * hook, or NULL. A thread that is attached holds its interpreter's lock, so for it the hook
 * stays in force, and what the sight lends is good, until it runs script code. */
const struct cctx_interpreter *cctx__look(struct cctx_sight *sight);

/* The same, and what the sight lends stays good until cctx__look_end(hook): the interpreter's
 * exit waits for it. Between the two nothing may block. */
const struct cctx_interpreter *cctx__look_begin(struct cctx_sight *sight);
void cctx__look_end(const struct cctx_interpreter *hook);

/* The same place: the interpreter has not switched since. */
bool cctx__same_place(const struct cctx_place *place, const struct cctx_place *now);

#endif
