/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the reader of same-boot deadlines; half of the inputs get this boot's id. */
#include <cctx/carrier.h>
#include <cctx/clock.h>

#include "target.h"

enum { BOOT_ID = 8, ROOM = 64 };

/* What it takes lies in time, and is written and read back as the same deadline, but for
 * the few ns by which the two clocks were not read at once. */
static void check_deadline(const char *text, size_t len) {
  const int64_t untouched = -12345;
  int64_t deadline = untouched, again = untouched;
  char written[ROOM];
  if (cctx_boot_deadline_parse(text, len, &deadline) != 0) {
    HOLDS(deadline == untouched);
    return;
  }
  if (cctx_boot_deadline_format(deadline, written, sizeof written) != 0) return;
  HOLDS(cctx_boot_deadline_parse(written, strlen(written), &again) == 0);
  HOLDS(again - deadline < CCTX_SECOND && deadline - again < CCTX_SECOND);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char ours[ROOM], *input;
  if (cctx_boot_deadline_format(cctx_now(), ours, sizeof ours) != 0) return 0;
  input = copy_input(data, size);
  if (size > BOOT_ID && data[0] % 2 == 0) memcpy(input, ours, BOOT_ID);
  check_deadline(input, size);
  free(input);
  return 0;
}
