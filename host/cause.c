/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of cause that end a request before its time, for the log and the counters. */
#include "cause.h"

#include <string.h>

enum cause cause_of(const cctx *ctx) {
  struct cctx_cause cause;
  int status = cctx_cause(ctx, &cause);
  if (status == 0) return CAUSE_NONE;
  if (status == CCTX_EDEADLINE) return CAUSE_DEADLINE;
  if (strcmp(cause.file, CAUSE_FILE) != 0) return CAUSE_OTHER;
  if (strcmp(cause.message, CAUSE_SAYS_SHUTDOWN) == 0) return CAUSE_SHUTDOWN;
  if (strcmp(cause.message, CAUSE_SAYS_CLIENT_LEFT) == 0) return CAUSE_CLIENT_LEFT;
  return CAUSE_OTHER;
}

const char *cause_word(enum cause cause) {
  static const char *const words[] = {"",
#define XX(name, word) word,
                                      CAUSE_MAP(XX)
#undef XX
  };
  return words[cause];
}
