/* SPDX-License-Identifier: Apache-2.0 */
/* Letting go of the interpreter with the current context in hand.
 *
 * A thread that has let go reads its variable by the peek. Where that does not hold, the
 * context is read before, and pushed on the thread's stack for the time. It answers there
 * what it answered before: with the same tag, and as long.
 */
#include "home.h"

void cctx__py_let_go(cctx_py_released *released) {
  struct cctx_origin origin;
  cctx *ctx = cctx__py_current_origin(&origin);
  released->token = (cctx_token){NULL, 0};
  released->state = PyEval_SaveThread();
  /* For lack of memory it is what the rule says: background, where it cannot be known. */
  if (cctx_current() != ctx && cctx_attach_as(ctx, &origin, &released->token) != CCTX_OK)
    released->token = (cctx_token){NULL, 0};
  cctx_unref(ctx);
}

void cctx__py_take_back(cctx_py_released *released) {
  if (released->token.scope) cctx_detach(&released->token);
  PyEval_RestoreThread(released->state);
}
