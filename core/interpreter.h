/* SPDX-License-Identifier: Apache-2.0 */
/* The registered interpreter, asked safely. */
#ifndef CCTX__INTERPRETER_H
#define CCTX__INTERPRETER_H

#include <cctx/interpreter.h>

/* Ask where this thread stands: a sight of state NONE without an interpreter. Returns the
 * hook, or NULL. A thread that is attached holds its interpreter's lock, so for it the hook
 * stays in force, and what the sight lends is good, until it runs script code. */
const struct cctx_interpreter *cctx__look(struct cctx_sight *sight);

/* The same place: the interpreter has not switched since. */
bool cctx__same_place(const struct cctx_place *place, const struct cctx_place *now);

#endif
