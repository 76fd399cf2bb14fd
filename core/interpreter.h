/* SPDX-License-Identifier: Apache-2.0 */
/* The registered interpreter, asked safely. */
#ifndef CCTX__INTERPRETER_H
#define CCTX__INTERPRETER_H

#include <cctx/interpreter.h>

/* Ask where this thread stands: a sight of state NONE without an interpreter. Between look
 * and done the interpreter stays registered: its functions may be called, and what the
 * sight lends is good. Returns the hook, or NULL. */
const struct cctx_interpreter *cctx__look(struct cctx_sight *sight);
void cctx__look_done(void);

/* The same place: the interpreter has not switched since, or has come back. */
bool cctx__same_place(const struct cctx_place *place, const struct cctx_sight *now);

#endif
