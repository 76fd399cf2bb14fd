/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin with a libcctx of its own inside. */
#include <cctx.h>

int work(void);

int work(void) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  cctx_token token;
  if (ctx == NULL || cctx_attach(ctx, &token) != 0) return 1;
  cctx_cancel(cctx_current(), "done");
  int err = cctx_err(cctx_current());
  cctx_detach(&token);
  cctx_unref(ctx);
  return err == CCTX_ECANCELED && cctx_alive() == 0 ? 0 : 2;
}
