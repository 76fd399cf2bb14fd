/* SPDX-License-Identifier: Apache-2.0 */
/* Strict mode: one flag, and sentences about misuse. */
#include "strict.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include <cctx/current.h>

#include "log.h"

static atomic_int strict;

bool cctx__is_strict(void) {
  return atomic_load_explicit(&strict, memory_order_relaxed) != 0;
}

int cctx_strict(int mode) {
  return mode == CCTX_STRICT_ASK ? atomic_load(&strict)
                                 : atomic_exchange(&strict, mode != 0);
}

void cctx__misuse(const char *format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  cctx__log(line);
}
