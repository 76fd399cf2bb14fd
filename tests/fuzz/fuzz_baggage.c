/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the baggage: lines of the input are its headers; what is read can be written. */
#include "carrier.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct cctx_policy policy = {.read = CCTX_FIELD_BAGGAGE, .write = CCTX_FIELD_BAGGAGE};
  struct carried carried = {{NULL, 0}, {{NULL, 0, NULL, 0}}};
  struct cctx_extracted report;
  cctx *ctx;
  carried_split(&carried, "baggage", data, size);
  policy.flags = size > 0 && data[0] & 1 ? CCTX_PLUS_IS_BLANK : 0;
  ctx = carried_extract(&carried, &policy, &report);
  HOLDS(cctx_metadata_count(ctx) <= CCTX_BAGGAGE_MEMBERS_MAX);
  carried_twice(ctx, &policy, same_metadata);
  cctx_unref(ctx);
  carried_free(&carried);
  HOLDS(cctx_alive() == 0);
  return 0;
}
