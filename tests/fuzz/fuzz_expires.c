/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the other times: lines are cctx-expires, connect-timeout-ms, and decimals of seconds. */
#include "carrier.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const names[] = {"cctx-expires", "connect-timeout-ms", "x-timeout"};
  static const unsigned bits[] = {CCTX_FIELD_EXPIRES, CCTX_FIELD_CONNECT_TIMEOUT,
                                  CCTX_FIELD_TIMEOUT};
  for (size_t i = 0; i < 3; i++) {
    struct cctx_policy policy = {.read = bits[i],
                                 .write = bits[i],
                                 .timeout = {"x-timeout", CCTX_SECOND, 9},
                                 .wall = 1700000000 * CCTX_SECOND};
    struct carried carried = {{NULL, 0}, {{NULL, 0, NULL, 0}}}, out = carried;
    struct cctx_carrier carrier = {.set = carried_set, .arg = &out};
    struct cctx_extracted report;
    int64_t deadline;
    cctx *ctx;
    cctx_clock_set(1000 * CCTX_SECOND);
    carried_add(&carried, (const uint8_t *)names[i], strlen(names[i]), data, size);
    ctx = carried_extract(&carried, &policy, &report);
    deadline = cctx_deadline(ctx);
    HOLDS(report.refused == 0 || deadline == CCTX_NEVER);
    if (cctx_err(ctx) == 0 && deadline != CCTX_NEVER) {
      HOLDS(cctx_inject(ctx, &carrier, &policy) == 0 && out.fields.n == 1);
      cctx *again = carried_extract(&out, &policy, &report);
      /* rounded up, by less than a millisecond, and cut to what the field can say */
      HOLDS(report.refused == 0);
      HOLDS(cctx_deadline(again) < deadline ||
            cctx_deadline(again) - deadline < CCTX_MILLISECOND);
      cctx_unref(again);
    }
    cctx_unref(ctx);
    carried_free(&carried);
    carried_free(&out);
  }
  HOLDS(cctx_alive() == 0);
  return 0;
}
