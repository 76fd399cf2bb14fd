/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the reader of gRPC timeouts: what it takes is a number and a unit, in range. */
#include <cctx/carrier.h>
#include <cctx/clock.h>

#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const int64_t untouched = -12345;
  int64_t timeout = untouched;
  char *input = copy_input(data, size);
  if (cctx_grpc_timeout_parse(input, size, &timeout) != 0) {
    HOLDS(timeout == untouched);
  } else {
    HOLDS(size >= 2);
    HOLDS(timeout >= 0);
    HOLDS(timeout == CCTX_NEVER || timeout / 3600 <= INT64_C(99999999) * CCTX_SECOND);
  }
  free(input);
  return 0;
}
