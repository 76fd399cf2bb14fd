/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the tree and its observers: the bytes choose what is done, and the model what is
 * right. */
#include "../core/model_run.h"

#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  run_bytes(data, size);
  return 0;
}
