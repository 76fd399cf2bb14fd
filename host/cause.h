/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of cause that end a request before its time, for the log and the counters. */
#ifndef HOST_CAUSE_H
#define HOST_CAUSE_H

#include <cctx.h>

/* XX(NAME, "word") */
#define CAUSE_MAP(XX)                                                                      \
  XX(DEADLINE, "deadline_exceeded")                                                        \
  XX(CLIENT_LEFT, "client_left")                                                           \
  XX(SHUTDOWN, "shutdown")                                                                 \
  XX(OTHER, "other") /* canceled by a handler, or by what it called */

enum cause {
  CAUSE_NONE,
#define XX(name, word) CAUSE_##name,
  CAUSE_MAP(XX)
#undef XX
      CAUSE_COUNT
};

/* What this program itself cancels for, and the place that it names. */
#define CAUSE_FILE "cctx serve"
#define CAUSE_SAYS_SHUTDOWN "server is shutting down"
#define CAUSE_SAYS_CLIENT_LEFT "client is gone"

/* The kind of what has ended `ctx`; CAUSE_NONE while it may go on. */
enum cause cause_of(const cctx *ctx);

/* Its word, "" of CAUSE_NONE. */
const char *cause_word(enum cause cause);

#endif
