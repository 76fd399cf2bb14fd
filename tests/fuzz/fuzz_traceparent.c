/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the reader of traceparents: what it takes is valid, and reads back the same. */
#include <cctx/carrier.h>

#include <stdlib.h>
#include <string.h>

#include "target.h"

static bool all_zero(const uint8_t *bytes, size_t n) {
  size_t i;
  for (i = 0; i < n; i++)
    if (bytes[i] != 0) return false;
  return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct cctx_trace trace, again;
  char text[CCTX_TRACEPARENT_LEN + 1];
  char *input = copy_input(data, size);
  memset(&trace, 0xA5, sizeof trace);
  again = trace;
  if (cctx_traceparent_parse(input, size, &trace) != 0) {
    HOLDS(memcmp(&trace, &again, sizeof trace) == 0);
  } else {
    HOLDS(size >= CCTX_TRACEPARENT_LEN);
    HOLDS(!all_zero(trace.trace_id, sizeof trace.trace_id));
    HOLDS(!all_zero(trace.span_id, sizeof trace.span_id));
    cctx_traceparent_format(&trace, text);
    HOLDS(strlen(text) == CCTX_TRACEPARENT_LEN);
    HOLDS(cctx_traceparent_parse(text, CCTX_TRACEPARENT_LEN, &again) == 0);
    HOLDS(memcmp(&trace, &again, sizeof trace) == 0);
  }
  free(input);
  return 0;
}
