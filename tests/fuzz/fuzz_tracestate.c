/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the tracestate: lines of the input are its headers, beside a valid traceparent. */
#include "carrier.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char traceparent[] =
      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  struct cctx_policy policy = {.read = CCTX_FIELD_TRACE, .write = CCTX_FIELD_TRACE};
  struct carried carried = {{NULL, 0}, {{NULL, 0, NULL, 0}}};
  struct cctx_extracted report;
  cctx_variant state;
  cctx *ctx;
  carried_add(&carried, (const uint8_t *)"traceparent", 11, (const uint8_t *)traceparent,
              55);
  carried_split(&carried, "tracestate", data, size);
  ctx = carried_extract(&carried, &policy, &report);
  HOLDS(report.trace.trace_id[0] == 0x0a && report.refused <= 1);
  if (cctx_value(ctx, cctx_key_find("tracestate"), &state) == 0) {
    HOLDS(state.as.s.len > 0 && state.as.s.len <= CCTX_TRACESTATE_BYTES_MAX);
    HOLDS(strlen(state.as.s.bytes) == state.as.s.len && report.refused == 0);
  }
  carried_twice(ctx, &policy, same_trace);
  cctx_unref(ctx);
  carried_free(&carried);
  HOLDS(cctx_alive() == 0);
  return 0;
}
