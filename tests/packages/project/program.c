/* SPDX-License-Identifier: Apache-2.0 */
/* A program that needs libcctx: it says which version, and a value. */
#include <cctx.h>
#include <stdio.h>

int main(void) {
  cctx *ctx =
      cctx_with_value(cctx_background(), cctx_key_named("tenant"), cctx_text("acme"));
  cctx_token token;
  cctx_variant value;
  if (ctx == NULL || cctx_attach(ctx, &token) != 0) return 1;
  if (cctx_value(cctx_current(), cctx_key_find("tenant"), &value) != 0) return 2;
  printf("%s of %s\n", value.as.s.bytes, cctx_version());
  cctx_detach(&token);
  cctx_unref(ctx);
  return cctx_alive() != 0;
}
