/* SPDX-License-Identifier: Apache-2.0 */
/* libaudit: a line for each event, with the request that it happened for. */
#include "audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int audit_fd = STDERR_FILENO;

/* A line that grows at `at`, and is never full: what has no room is cut. */
struct line {
  char *at, *end;
};

/* Control characters would let a tenant forge lines of others. */
static void put_text(struct line *line, const char *text, size_t len) {
  for (size_t i = 0; i < len && line->at < line->end; i++) {
    unsigned char c = (unsigned char)text[i];
    *line->at++ = c < 0x20 || c == 0x7F ? '?' : text[i];
  }
}

static void put(struct line *line, const char *text) { put_text(line, text, strlen(text)); }

static void put_tenant(struct line *line, const cctx *ctx) {
  size_t len;
  const char *tenant = cctx_metadata(ctx, "tenant", &len);
  put(line, "tenant=");
  if (tenant)
    put_text(line, tenant, len);
  else
    put(line, "-");
}

static void put_trace(struct line *line, const cctx *ctx) {
  cctx_variant trace;
  put(line, " trace=");
  if (cctx_value(ctx, cctx_key_find("trace_id"), &trace) == 0 && trace.type == CCTX_STRING)
    put_text(line, trace.as.s.bytes, trace.as.s.len);
  else
    put(line, "-");
}

static void put_remaining(struct line *line, const cctx *ctx) {
  char number[32];
  int64_t remaining = cctx_remaining(ctx);
  put(line, " remaining=");
  if (remaining == CCTX_NEVER)
    snprintf(number, sizeof number, "-");
  else
    snprintf(number, sizeof number, "%lldms", (long long)(remaining / CCTX_MILLISECOND));
  put(line, number);
}

void audit_line(char out[AUDIT_LINE_MAX], const char *event) {
  const cctx *ctx = cctx_current(); /* good to the end of this function: no script runs */
  struct line line = {out, out + AUDIT_LINE_MAX - 1};
  put_tenant(&line, ctx);
  put_trace(&line, ctx);
  put_remaining(&line, ctx);
  put(&line, " ");
  put(&line, event);
  *line.at = '\0';
}

int audit_write(const char *event) {
  char text[AUDIT_LINE_MAX];
  size_t len;
  ssize_t written;
  audit_line(text, event);
  len = strlen(text);
  text[len] = '\n'; /* in the place of the NUL: one write is one line */
  do written = write(audit_fd, text, len + 1);
  while (written < 0 && errno == EINTR);
  return written < 0 ? errno : 0;
}

int audit_open(const char *path) {
  int fd = STDERR_FILENO;
  if (path) fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return errno;
  if (audit_fd != STDERR_FILENO) close(audit_fd);
  audit_fd = fd;
  return 0;
}
