/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes B3: the first line is the one header, those behind it are the several, by their order. */
#include "carrier.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const names[] = {"b3", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled",
                                      "x-b3-flags"};
  static const unsigned forms[] = {CCTX_FIELD_B3, CCTX_FIELD_B3_MULTI};
  struct carried carried = {{NULL, 0}, {{NULL, 0, NULL, 0}}};
  for (size_t i = 0; i < 5 && size > 0; i++) {
    const uint8_t *end = memchr(data, '\n', size);
    size_t len = end ? (size_t)(end - data) : size;
    if (len > 0)
      carried_add(&carried, (const uint8_t *)names[i], strlen(names[i]), data, len);
    len += end != NULL;
    data += len;
    size -= len;
  }
  for (size_t i = 0; i < 2; i++) {
    struct cctx_policy policy = {.read = forms[i], .write = forms[i]};
    struct cctx_extracted report;
    cctx *ctx = carried_extract(&carried, &policy, &report);
    HOLDS((report.trace.flags &
           ~(CCTX_TRACE_SAMPLED | CCTX_TRACE_DEBUG | CCTX_TRACE_DEFERRED)) == 0);
    carried_twice(ctx, &policy, same_trace);
    policy.read = policy.write = forms[1 - i]; /* the other form says the same */
    carried_twice(ctx, &policy, same_trace);
    cctx_unref(ctx);
  }
  carried_free(&carried);
  HOLDS(cctx_alive() == 0);
  return 0;
}
