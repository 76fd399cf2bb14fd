/* SPDX-License-Identifier: Apache-2.0 */
/* The log of the server, on stderr. Nothing a stranger sent can begin a line of it. */
#define _GNU_SOURCE 1
#include "log.h"

#include <inttypes.h>
#include <stdio.h>

/* Anything but visible ASCII is written as its code. */
static void put_escaped(const char *text) {
  for (; *text != '\0'; text++) {
    unsigned char c = (unsigned char)*text;
    if (c > 0x20 && c < 0x7f && c != '\\')
      putc_unlocked(c, stderr);
    else
      fprintf(stderr, "\\x%02x", c);
  }
}

static void put_ids(const struct request *request) {
  fprintf(stderr, "request=%" PRIu64 " trace=%s ", request->number, request->trace);
}

void log_access(const struct request *request) {
  double ms = (double)(cctx_now() - request->arrived) / (double)CCTX_MILLISECOND;
  flockfile(stderr);
  put_ids(request);
  put_escaped(request->method);
  putc_unlocked(' ', stderr);
  put_escaped(request->path);
  fprintf(stderr, " %u %.1f ms\n", request->status, ms);
  funlockfile(stderr);
}

/* Lines after the first are indented. */
void log_error(const struct request *request, const char *text) {
  flockfile(stderr);
  put_ids(request);
  for (; *text != '\0'; text++) {
    putc_unlocked(*text, stderr);
    if (*text == '\n') fputs("  ", stderr);
  }
  putc_unlocked('\n', stderr);
  funlockfile(stderr);
}
