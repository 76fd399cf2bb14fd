/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes metainfo and cctx-metadata: lines "NAME: VALUE" of a hostile carrier. */
#include "carrier.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const unsigned all = CCTX_FIELD_METAINFO | CCTX_FIELD_METAINFO_MAP | CCTX_FIELD_METADATA;
  static const char *const allow[] = {"a*", "B", NULL};
  struct carried carried = {{NULL, 0}, {{NULL, 0, NULL, 0}}};
  carried_split(&carried, NULL, data, size);
  for (int direction = CCTX_FORWARD; direction <= CCTX_BACKWARD_RAW; direction++)
    for (int names = CCTX_NAMES_HTTP; names <= CCTX_NAMES_ENVIRONMENT; names++) {
      struct cctx_policy policy = {.read = all,
                                   .names = (enum cctx_names)names,
                                   .direction = (enum cctx_direction)direction};
      struct cctx_extracted report;
      if (direction == CCTX_BACKWARD_RAW) policy.allow = allow;
      cctx_unref(carried_extract(&carried, &policy, &report));
    }
  struct cctx_policy policy = {.read = all};
  struct cctx_extracted report;
  cctx *ctx = carried_extract(&carried, &policy, &report);
  policy.read = policy.write = CCTX_FIELD_METADATA;
  carried_twice(ctx, &policy, same_metadata);
  policy.read = policy.write = CCTX_FIELD_METAINFO_MAP;
  carried_twice(ctx, &policy, same_metadata);
  cctx_unref(ctx);
  carried_free(&carried);
  HOLDS(cctx_alive() == 0);
  return 0;
}
