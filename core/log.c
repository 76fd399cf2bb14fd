/* SPDX-License-Identifier: Apache-2.0 */
/* The log: one sink, which the host sets. */
#include "log.h"

#include <cctx/log.h>

static cctx_log_fn *sink;
static void *sink_arg;
static _Thread_local bool is_logging;

void cctx_set_log(cctx_log_fn *fn, void *arg) {
  sink = fn;
  sink_arg = arg;
}

void cctx__log(const char *message) {
  if (sink == NULL || is_logging) return;
  is_logging = true;
  sink(sink_arg, message);
  is_logging = false;
}
