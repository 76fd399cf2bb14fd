/* SPDX-License-Identifier: Apache-2.0 */
/* The log of the server, on stderr. Nothing a stranger sent can begin a line of it. */
#define _GNU_SOURCE 1
#include "log.h"

#include <cctx/dump.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "metrics.h"

static bool is_json;

void log_set_json(bool on) { is_json = on; }

/* ---- Texts ---- */

/* As its code, or as it is. */
static void put_byte(unsigned char c, bool as_code) {
  if (as_code)
    fprintf(stderr, "\\x%02x", c);
  else
    putc_unlocked(c, stderr);
}

/* Anything but visible ASCII is written as its code. */
static void put_escaped(const char *text) {
  for (; *text != '\0'; text++) {
    unsigned char c = (unsigned char)*text;
    put_byte(c, c <= 0x20 || c >= 0x7f || c == '\\');
  }
}

/* The same, but that blanks and lines stay: those after the first are indented. */
static void put_lines(const char *text) {
  for (; *text != '\0'; text++) {
    unsigned char c = (unsigned char)*text;
    put_byte(c, c != '\n' && c != '\t' && (c < 0x20 || c >= 0x7f));
    if (c == '\n') fputs("  ", stderr);
  }
}

static void write_json(void *file, const char *bytes, size_t len) {
  fwrite_unlocked(bytes, 1, len, file);
}

/* A member that is not the first. */
static void put_member(const char *name, const char *text) {
  fprintf(stderr, ", \"%s\": ", name);
  cctx_dump_json_string(text, strlen(text), write_json, stderr);
}

/* ---- Lines ---- */

static void begin_json(const struct request *request) {
  fprintf(stderr, "{\"request\": %" PRIu64, request->number);
  put_member("trace", request->trace);
}

static void begin_text(const struct request *request) {
  fprintf(stderr, "request=%" PRIu64 " trace=%s ", request->number, request->trace);
}

static void access_json(const struct request *request, double ms) {
  begin_json(request);
  put_member("method", request->method);
  put_member("path", request->path);
  fprintf(stderr, ", \"status\": %u, \"ms\": %.1f", request->status, ms);
  if (request->cause != CAUSE_NONE) put_member("cause", cause_word(request->cause));
  fputs("}\n", stderr);
}

static void access_text(const struct request *request, double ms) {
  begin_text(request);
  put_escaped(request->method);
  putc_unlocked(' ', stderr);
  put_escaped(request->path);
  fprintf(stderr, " %u %.1f ms", request->status, ms);
  if (request->cause != CAUSE_NONE) fprintf(stderr, " %s", cause_word(request->cause));
  putc_unlocked('\n', stderr);
}

void log_access(const struct request *request) {
  double ms = (double)(cctx_now() - request->arrived) / (double)CCTX_MILLISECOND;
  metrics_count(request);
  flockfile(stderr);
  if (is_json)
    access_json(request, ms);
  else
    access_text(request, ms);
  funlockfile(stderr);
}

void log_error(const struct request *request, const char *text) {
  flockfile(stderr);
  if (is_json) {
    begin_json(request);
    put_member("error", text);
    fputs("}\n", stderr);
  } else {
    begin_text(request);
    put_lines(text);
    putc_unlocked('\n', stderr);
  }
  funlockfile(stderr);
}

void log_library(void *unused, const char *text) {
  (void)unused;
  flockfile(stderr);
  if (is_json) {
    fputs("{\"cctx\": ", stderr);
    cctx_dump_json_string(text, strlen(text), write_json, stderr);
    fputs("}\n", stderr);
  } else {
    fputs("cctx: ", stderr);
    put_lines(text);
    putc_unlocked('\n', stderr);
  }
  funlockfile(stderr);
}
