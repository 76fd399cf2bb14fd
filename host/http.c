/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP side: libmicrohttpd's thread reads a request, makes its context, suspends the
 * connection, and writes the answer once a worker has resumed it.
 *
 * It runs no script and takes no interpreter's lock, so that a slow handler never keeps
 * others from being read.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <limits.h>
#include <microhttpd.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "arrival.h"
#include "due.h"
#include "late.h"
#include "log.h"
#include "server.h"
#include "watch.h"

/* Room for the headers of one request. */
enum { HEADERS_MAX = 64 * 1024 };

static struct MHD_Daemon *daemon_of_process;
/* It listens no more, but is closed only when the daemon has ended, which may still take it out
 * of what it polls. */
static MHD_socket quiet = MHD_INVALID_SOCKET;
static atomic_bool quiesced;    /* relaxed: an answer that misses it is one before it */
static _Atomic uint64_t unread; /* connections closed while their client read no answer */

/* ---- The carrier over the headers ---- */

/* Values under one name are joined already: two a traceparent, which makes it malformed. */
static bool field_at(void *arg, size_t i, struct cctx_field *out) {
  const struct headers *headers = arg;
  if (i >= headers->n) return false;
  const struct header *header = &headers->at[i];
  *out = (struct cctx_field){header->name, strlen(header->name), header->value,
                             strlen(header->value)};
  return true;
}

/* The context of a request: what its headers say, and at most timeout_max long. It can be
 * canceled. NULL for lack of memory. */
static cctx *make_context(const struct server *server, struct request *request) {
  struct cctx_carrier carrier = {.at = field_at, .arg = &request->headers};
  struct cctx_extracted report;
  cctx *brought = NULL;
  char text[CCTX_TRACEPARENT_LEN + 1];
  if (cctx_extract(&brought, request_root(), &carrier, &server->policy, &report) != 0)
    return NULL;
  cctx *ctx = cctx_with_deadline_at(brought, cctx_deadline_after(server->timeout_max),
                                    "--timeout-max", "cctx serve", 0);
  cctx_unref(brought);
  cctx_traceparent_format(&report.trace, text);
  if (strspn(text, "0-") != strlen(text)) {
    memcpy(request->trace, text + 3, 32);
    request->trace[32] = '\0';
  }
  return ctx;
}

/* ---- The answer ---- */

/* A connection that brings no more requests is closed. */
static void add_close(struct MHD_Response *response) {
  if (atomic_load_explicit(&quiesced, memory_order_relaxed))
    MHD_add_response_header(response, "connection", "close");
}

/* A token: RFC 9110, 5.6.2. libmicrohttpd would send "content-length:" too. */
static bool is_name(const char *name) {
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789!#$%&'*+-.^_`|~";
  return name[0] != '\0' && name[strspn(name, allowed)] == '\0';
}

static void add_headers(struct MHD_Response *response, const struct request *request) {
  const struct headers *headers = &request->answer.headers;
  bool has_type = false;
  for (size_t i = 0; i < headers->n; i++) {
    const char *name = headers->at[i].name, *value = headers->at[i].value;
    if (strcasecmp(name, "content-type") == 0) has_type = true;
    if (!is_name(name) || MHD_add_response_header(response, name, value) != MHD_YES)
      log_error(request, "a header of the answer was left out: it is no HTTP header");
  }
  if (!has_type)
    MHD_add_response_header(response, "content-type", "text/plain; charset=utf-8");
}

static void log_answered(struct request *request, unsigned status) {
  request->status = status;
  if (request->late) request->cause = CAUSE_DEADLINE; /* the worker may still be at it */
  log_access(request);
}

static enum MHD_Result send_answer(struct MHD_Connection *connection,
                                   struct request *request) {
  struct answer *answer = &request->answer;
  struct MHD_Response *response =
      MHD_create_response_from_buffer(answer->len, answer->body, MHD_RESPMEM_MUST_FREE);
  if (!response) return MHD_NO;
  answer->body = NULL;
  add_headers(response, request);
  add_close(response);
  enum MHD_Result result = MHD_queue_response(connection, answer->status, response);
  MHD_destroy_response(response);
  log_answered(request, answer->status);
  return result;
}

/* In the place of a worker, which may be writing an answer of its own. */
static enum MHD_Result send_late(struct MHD_Connection *connection,
                                 struct request *request) {
  static char text[] = DEADLINE_EXCEEDED;
  struct MHD_Response *response =
      MHD_create_response_from_buffer(sizeof text - 1, text, MHD_RESPMEM_PERSISTENT);
  if (!response) return MHD_NO;
  MHD_add_response_header(response, "content-type", "text/plain; charset=utf-8");
  add_close(response);
  enum MHD_Result result = MHD_queue_response(connection, 504, response);
  MHD_destroy_response(response);
  log_answered(request, 504);
  return result;
}

static enum MHD_Result send_text(struct MHD_Connection *connection, struct request *request,
                                 unsigned status, const char *text) {
  request_answer_text(request, status, text);
  return send_answer(connection, request);
}

/* A worker has answered: the connection's handler is called once more. */
static void resume(struct request *request) { MHD_resume_connection(request->connection); }

/* ---- The request ---- */

static bool find_route(const struct server *server, struct request *request) {
  for (size_t i = 0; i < server->routes_n; i++)
    if (strcmp(server->routes[i].path, request->path) == 0) {
      request->route = i;
      return true;
    }
  return false;
}

static enum MHD_Result copy_header(void *arg, enum MHD_ValueKind kind, const char *name,
                                   const char *value) {
  (void)kind;
  struct request *request = arg;
  request->is_short = !request_add_header(request, name, value ? value : "");
  return request->is_short ? MHD_NO : MHD_YES;
}

static int descriptor_of(struct MHD_Connection *connection) {
  return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

static struct arrival *arrival_of(struct MHD_Connection *connection) {
  return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
      ->socket_context;
}

/* Why a queue takes nothing. */
static const char *why_not(void) {
  bool ends = atomic_load_explicit(&quiesced, memory_order_relaxed);
  return ends ? "server is shutting down\n" : "too many requests wait\n";
}

/* Everything has arrived: give it to a worker. */
static enum MHD_Result dispatch(struct server *server, struct MHD_Connection *connection,
                                struct request *request) {
  arrival_end(arrival_of(connection));
  if (request->too_large)
    return send_text(connection, request, 413, "the body is over 1 MiB\n");
  if (request->is_crowded)
    return send_text(connection, request, 503, "the bodies of others take all memory\n");
  if (request->is_cut || !find_route(server, request))
    return send_text(connection, request, 404, "not found\n");
  MHD_get_connection_values(connection, MHD_HEADER_KIND, copy_header, request);
  if (request->is_short) return send_text(connection, request, 500, "out of memory\n");
  request->connection = connection;
  request->resume = resume;
  cctx *ctx = make_context(server, request);
  int status = ctx ? request_begin(request, ctx) : CCTX_ENOMEM;
  if (status == CCTX_ENOMEM) return send_text(connection, request, 500, "out of memory\n");
  if (status != 0) return send_text(connection, request, 503, "server is shutting down\n");
  bool is_lua = server->routes[request->route].language == LANGUAGE_LUA;
  request->queue = is_lua ? &server->lua : &server->python;
  MHD_suspend_connection(connection);
  watch_begin(request, descriptor_of(connection));
  late_begin(request);
  if (!queue_put(request)) {
    request_answer_text(request, 503, why_not());
    request_finish(request);
  }
  return MHD_YES;
}

static void *begin_request(void *arg, const char *uri, struct MHD_Connection *connection) {
  (void)arg;
  (void)connection;
  return request_new(uri);
}

/* A body that says it is too long is refused before it is sent. */
static bool announces_too_much(struct MHD_Connection *connection) {
  const char *length =
      MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
  return length && strtoull(length, NULL, 10) > BODY_MAX;
}

/* Called for the headers, for each piece of the body, at its end, and after a resume. */
static enum MHD_Result handle(void *arg, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *bytes,
                              size_t *len, void **slot) {
  struct request *request = *slot;
  (void)version;
  if (!request) return MHD_NO;
  if (request->is_gone) return MHD_NO; /* nobody reads an answer */
  if (request->late) return send_late(connection, request);
  if (request->answer.status != 0) return send_answer(connection, request);
  if (!request->method) {
    if (!request_set_line(request, method, url)) return MHD_NO;
    if (announces_too_much(connection))
      return send_text(connection, request, 413, "the body is over 1 MiB\n");
    return MHD_YES;
  }
  if (*len == 0) return dispatch(arg, connection, request);
  if (!request_add_body(request, bytes, *len)) return MHD_NO;
  *len = 0;
  return MHD_YES;
}

static void end_request(void *arg, struct MHD_Connection *connection, void **slot,
                        enum MHD_RequestTerminationCode why) {
  (void)arg;
  if (why == MHD_REQUEST_TERMINATED_TIMEOUT_REACHED) atomic_fetch_add(&unread, 1);
  struct request *request = *slot;
  arrival_begin(arrival_of(connection));
  /* An answer that was never asked for: the client has left. */
  if (request && request->begun && request->status == 0)
    log_answered(request, WATCH_STATUS);
  if (request) request_free(request);
  *slot = NULL;
}

/* A connection begins, or ends: its descriptor is still open then. */
static void notice(void *arg, struct MHD_Connection *connection, void **slot,
                   enum MHD_ConnectionNotificationCode code) {
  const struct server *server = arg;
  if (code == MHD_CONNECTION_NOTIFY_STARTED) {
    *slot = arrival_new(descriptor_of(connection), server->idle_timeout);
  } else {
    arrival_free(*slot);
    *slot = NULL;
  }
}

/* ---- The daemon ---- */

/* For clients that do not read: those that do not send are the arrivals', which come first. */
static unsigned in_seconds(int64_t timeout) {
  int64_t seconds = timeout / CCTX_SECOND + 1;
  return seconds < UINT_MAX ? (unsigned)seconds : UINT_MAX;
}

bool http_start(struct server *server, int fd, char *why, size_t size) {
  int failed = watch_start();
  if (!failed) failed = due_start();
  if (failed) {
    snprintf(why, size, "%s", strerror(failed));
    return false;
  }
  errno = 0;
  daemon_of_process = MHD_start_daemon(
      MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, handle,
      server, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_URI_LOG_CALLBACK, begin_request,
      NULL, MHD_OPTION_NOTIFY_COMPLETED, end_request, NULL, MHD_OPTION_NOTIFY_CONNECTION,
      notice, server, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADERS_MAX,
      MHD_OPTION_CONNECTION_LIMIT, server->connections_max, MHD_OPTION_CONNECTION_TIMEOUT,
      in_seconds(server->idle_timeout), MHD_OPTION_END);
  if (!daemon_of_process)
    snprintf(why, size, "%s", errno ? strerror(errno) : "libmicrohttpd refused");
  return daemon_of_process != NULL;
}

void http_quiesce(void) {
  atomic_store_explicit(&quiesced, true, memory_order_relaxed);
  quiet = MHD_quiesce_daemon(daemon_of_process);
  if (quiet != MHD_INVALID_SOCKET) shutdown(quiet, SHUT_RDWR);
}

size_t http_connections(void) {
  const union MHD_DaemonInfo *info =
      MHD_get_daemon_info(daemon_of_process, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
  return info ? info->num_connections : 0;
}

uint64_t http_timeouts(void) { return arrival_missed() + atomic_load(&unread); }

void http_stop(void) {
  MHD_stop_daemon(daemon_of_process);
  if (quiet != MHD_INVALID_SOCKET) close(quiet);
  due_stop();
  watch_stop();
}
