/* SPDX-License-Identifier: Apache-2.0 */
/* A program that needs the extras: a function bound to a context. */
#include <cctx.h>
#include <cctx/bind.h>
#include <stdio.h>

static void say(void *arg) {
  printf("%s, %s\n", (const char *)arg, cctx_status_word(cctx_err(cctx_current())));
}

int main(void) {
  static char who[] = "acme";
  cctx *ctx = cctx_with_cancel(cctx_background());
  cctx_bound *bound = ctx ? cctx_bind(ctx, say, who) : NULL;
  if (bound == NULL) return 1;
  cctx_cancel(ctx, "the client left");
  cctx_unref(ctx);
  return cctx_bound_call_once(bound) != 0 || cctx_alive() != 0;
}
