/* SPDX-License-Identifier: Apache-2.0 */
/* The debug page: a listener of its own that shows what the server works on.
 *
 * It takes the requests' lock only to look at them, and holds references while it writes.
 * What it writes is JSON and counters; the page makes its tree from that JSON by itself, as
 * text, and its policy (CSP) lets no other script run. A browser that was led here by another
 * name than the listener's address gets nothing: any page may make a name lead to 127.0.0.1.
 */
#define _GNU_SOURCE 1
#include <cctx/dump.h>
#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "debug_html.h"
#include "debug_js.h"
#include "metrics.h"

/* Requests on a page, bytes after which it begins no other one, connections, and idle seconds
 * until one is closed. */
enum { REQUESTS_MAX = 100, PAGE_MAX = 1 << 20, CONNECTIONS_MAX = 16, IDLE_MAX = 15 };

#define POLICY                                                                             \
  "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; " \
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

static struct MHD_Daemon *debug_daemon;

/* ---- The tree ---- */

static void write_text(struct buffer *out, const char *name, const char *text) {
  buffer_print(out, ",\"%s\":", name);
  cctx_dump_json_string(text, strlen(text), buffer_write, out);
}

static void write_request(struct buffer *out, const struct server *server,
                          const struct request_view *view) {
  const struct route *route = &server->routes[view->route];
  int64_t ms = (cctx_now() - view->arrived) / CCTX_MILLISECOND;
  buffer_print(out, "{\"number\":%" PRIu64 ",\"age\":%" PRId64 ".%03d", view->number,
               ms / 1000, (int)(ms % 1000));
  write_text(out, "trace", view->trace);
  write_text(out, "method", view->method);
  write_text(out, "path", view->path);
  write_text(out, "route", route->path);
  write_text(out, "language", language_word(route->language));
  buffer_print(out, ",\"context\":");
  cctx_dump_json(view->ctx, server->debug_values ? CCTX_DUMP_VALUES : 0, buffer_write, out);
  buffer_print(out, "}");
}

/* The oldest first. */
static void write_tree(struct buffer *out, const struct server *server) {
  struct request_view *views = calloc(REQUESTS_MAX, sizeof *views);
  size_t all = 0, n = views ? request_watch(views, REQUESTS_MAX, &all) : 0, shown = 0;
  out->failed = views == NULL;
  buffer_print(out, "{\"values\":%s,\"requests\":[",
               server->debug_values ? "true" : "false");
  while (n-- > 0) {
    if (out->len < PAGE_MAX) {
      if (shown++ > 0) buffer_print(out, ",");
      write_request(out, server, &views[n]);
    }
    cctx_unref(views[n].ctx);
  }
  free(views);
  buffer_print(out, "],\"more\":%zu,\"in_flight\":%zu,\"contexts_alive\":%zu}\n",
               all - shown, all, cctx_alive());
}

/* ---- Answers ---- */

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned status,
                             struct MHD_Response *response, const char *type) {
  static const char *const headers[][2] = {{"cache-control", "no-store"},
                                           {"x-content-type-options", "nosniff"},
                                           {"referrer-policy", "no-referrer"},
                                           {"content-security-policy", POLICY}};
  if (!response) return MHD_NO;
  MHD_add_response_header(response, "content-type", type);
  for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
    MHD_add_response_header(response, headers[i][0], headers[i][1]);
  if (status == 405) MHD_add_response_header(response, "allow", "GET, HEAD");
  enum MHD_Result result = MHD_queue_response(connection, status, response);
  MHD_destroy_response(response);
  return result;
}

static enum MHD_Result send_static(struct MHD_Connection *connection, unsigned status,
                                   const char *text, const char *type) {
  union {
    const char *in;
    void *out;
  } bytes = {text}; /* it only reads them */
  return reply(
      connection, status,
      MHD_create_response_from_buffer(strlen(text), bytes.out, MHD_RESPMEM_PERSISTENT),
      type);
}

static enum MHD_Result send_buffer(struct MHD_Connection *connection, struct buffer *buffer,
                                   const char *type) {
  if (!buffer->failed)
    return reply(
        connection, 200,
        MHD_create_response_from_buffer(buffer->len, buffer->at, MHD_RESPMEM_MUST_FREE),
        type);
  free(buffer->at);
  return send_static(connection, 500, "out of memory\n", "text/plain");
}

/* ---- Who asks ---- */

/* Whether the Host header is an address or "localhost". */
static bool is_asked_by_address(struct MHD_Connection *connection) {
  const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host");
  struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *info = NULL;
  char name[80];
  if (!host || strlen(host) >= sizeof name) return false;
  strcpy(name, host);
  char *begin = name, *end = name[0] == '[' ? strchr(name, ']') : strchr(name, ':');
  if (name[0] == '[') begin++;
  if (end) *end = '\0';
  if (strcasecmp(begin, "localhost") == 0) return true;
  if (getaddrinfo(begin, NULL, &hints, &info) != 0) return false;
  freeaddrinfo(info);
  return true;
}

static enum MHD_Result answer(const struct server *server,
                              struct MHD_Connection *connection, const char *path) {
  const char *json = "application/json", *text = "text/plain; charset=utf-8";
  struct buffer out = {NULL, 0, 0, false};
  if (strcmp(path, "/metrics") == 0) {
    metrics_write(&out);
    return send_buffer(connection, &out, "text/plain; version=0.0.4; charset=utf-8");
  }
  if (!is_asked_by_address(connection))
    return send_static(connection, 403, "ask by address, or by localhost\n", text);
  if (strcmp(path, "/") == 0)
    return send_static(connection, 200, debug_html, "text/html; charset=utf-8");
  if (strcmp(path, "/debug.js") == 0)
    return send_static(connection, 200, debug_js, "text/javascript; charset=utf-8");
  if (strcmp(path, "/tree.json") != 0)
    return send_static(connection, 404, "not found\n", text);
  write_tree(&out, server);
  return send_buffer(connection, &out, json);
}

static enum MHD_Result handle(void *arg, struct MHD_Connection *connection,
                              const char *path, const char *method, const char *version,
                              const char *bytes, size_t *len, void **slot) {
  (void)version;
  (void)bytes;
  if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
    return send_static(connection, 405, "only GET is known here\n", "text/plain");
  *len = 0; /* a body says nothing here */
  if (*slot != NULL) return answer(arg, connection, path);
  *slot = arg; /* the headers are read */
  return MHD_YES;
}

/* ---- The daemon ---- */

bool debug_start(struct server *server, int fd, char *why, size_t size) {
  errno = 0;
  debug_daemon = MHD_start_daemon(
      MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, handle, server,
      MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
      MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_MAX, MHD_OPTION_END);
  if (!debug_daemon)
    snprintf(why, size, "%s", errno ? strerror(errno) : "libmicrohttpd refused");
  return debug_daemon != NULL;
}

void debug_stop(void) {
  if (debug_daemon) MHD_stop_daemon(debug_daemon);
  debug_daemon = NULL;
}
