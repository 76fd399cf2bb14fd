/* SPDX-License-Identifier: Apache-2.0 */
/* A server on libevent's HTTP: requests that wait for each other on one thread.
 *
 *     libevent PORT [MILLISECONDS]          until SIGTERM; how long a request may wait
 *     curl localhost:PORT/TENANT/wait &     answered when somebody asks for:
 *     curl localhost:PORT/TENANT/wake       which answers all that wait
 */
#include <cctx.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct waiter {
  struct evhttp_request *http; /* to be answered also if its client has left */
  cctx_request request;
  cctx_observer observer;
  struct waiter *next;
};

static struct event_base *base;
static struct evhttp *http_server;
static struct evhttp_bound_socket *listener;
static struct waiter *waiters;
static cctx_loop *contexts; /* calls back when a context is done, on libevent's thread */
static cctx *server;
static int64_t limit;

static void need(bool ok, const char *what) {
  if (ok) return;
  fprintf(stderr, "libevent: %s\n", what);
  exit(EXIT_FAILURE);
}

/* ---- Far below: nobody passes it a context -------------------------------------------- */

static const char *tenant(void) {
  const char *name = cctx_metadata(cctx_current(), "tenant", NULL);
  return name ? name : "nobody";
}

static void note(const char *what) { printf("%s: %s\n", tenant(), what); }

static void reply(struct evhttp_request *http, int code, const char *what) {
  struct evbuffer *body = evbuffer_new();
  need(body != NULL, "no memory");
  evbuffer_add_printf(body, "%s for %s\n", what, tenant());
  evhttp_send_reply(http, code, NULL, body);
  evbuffer_free(body);
}

/* ---- A request that is answered in the callback that brings it ------------------------- */

static int begin(cctx_request *request, const char *name) {
  struct cctx_metadata_pair pair = {CCTX_REQUEST, "tenant", name, strlen(name)};
  struct cctx_request_options options = {
      .timeout = limit, .metadata = &pair, .metadata_n = 1};
  return cctx_request_begin(request, server, &options);
}

static void answer(struct waiter *waiter, int code, const char *what);

static void wake(struct evhttp_request *http, const char *name) {
  cctx_request request;
  need(begin(&request, name) == 0, "no memory");
  note("wakes");
  while (waiters) answer(waiters, HTTP_OK, "woken");
  reply(http, HTTP_OK, "done");
  cctx_request_end(&request);
}

/* ---- A request that waits --------------------------------------------------------------- */

static void forget(struct waiter *waiter) {
  struct waiter **at = &waiters;
  while (*at != waiter) at = &(*at)->next;
  *at = waiter->next;
  cctx_off_done(&waiter->observer);
  cctx_request_end(&waiter->request);
  free(waiter);
}

/* In whatever callback this is, what is below works for the waiter. */
static void answer(struct waiter *waiter, int code, const char *what) {
  struct evhttp_connection *connection = evhttp_request_get_connection(waiter->http);
  cctx_token token;
  need(cctx_attach(waiter->request.ctx, &token) == 0, "no memory");
  note(what);
  if (connection) evhttp_connection_set_closecb(connection, NULL, NULL);
  reply(waiter->http, code, what);
  cctx_detach(&token);
  forget(waiter);
}

/* By the contexts' loop: the client has left, or its time is over, or the server stops. */
static void on_done(cctx *ctx, void *waiter) {
  struct cctx_cause cause;
  cctx_cause(ctx, &cause);
  answer(waiter, HTTP_SERVUNAVAIL, cause.message);
}

static void on_close(struct evhttp_connection *connection, void *arg) {
  struct waiter *waiter = arg;
  (void)connection;
  cctx_cancel(waiter->request.ctx, "the client left");
}

static void hold(struct evhttp_request *http, const char *name) {
  struct evhttp_connection *connection = evhttp_request_get_connection(http);
  struct waiter *waiter = calloc(1, sizeof *waiter), **last = &waiters;
  need(waiter && begin(&waiter->request, name) == 0, "no memory");
  note("waits");
  cctx_detach(&waiter->request.token); /* the next callback is another's */
  waiter->request.token = (cctx_token){NULL, 0};
  need(cctx_on_done(waiter->request.ctx, contexts, on_done, waiter, &waiter->observer) == 0,
       "no memory");
  waiter->http = http;
  evhttp_connection_set_closecb(connection, on_close, waiter);
  bufferevent_enable(evhttp_connection_get_bufferevent(connection), EV_READ); /* its end */
  while (*last) last = &(*last)->next;
  *last = waiter;
}

/* ---- libevent --------------------------------------------------------------------------- */

static void on_request(struct evhttp_request *http, void *arg) {
  char name[32], what[8] = "";
  (void)arg;
  sscanf(evhttp_request_get_uri(http), "/%31[a-z]/%7[a-z]", name, what);
  if (strcmp(what, "wait") == 0)
    hold(http, name);
  else if (strcmp(what, "wake") == 0)
    wake(http, name);
  else
    reply(http, HTTP_NOTFOUND, "nothing");
}

/* What is answered now is still written. */
static void on_stop(cctx *ctx, void *arg) {
  struct timeval grace = {0, 50000};
  (void)ctx, (void)arg;
  evhttp_del_accept_socket(http_server, listener);
  event_base_loopexit(base, &grace);
}

static void run_contexts(evutil_socket_t fd, short what, void *arg) {
  (void)fd, (void)what, (void)arg;
  cctx_loop_run(contexts, cctx_now());
}

static void run(void) {
  struct event *event =
      event_new(base, cctx_loop_fd(contexts), EV_READ | EV_PERSIST, run_contexts, NULL);
  cctx_token token;
  need(event && event_add(event, NULL) == 0, "no memory");
  need(cctx_attach(cctx_background(), &token) == 0, "no memory");
  event_base_dispatch(base); /* whatever was current, no callback inherits it */
  cctx_detach(&token);
  event_free(event);
}

int main(int argc, char **argv) {
  need(argc > 1, "usage: libevent PORT [MILLISECONDS]");
  limit = (argc > 2 ? atoi(argv[2]) : 2000) * CCTX_MILLISECOND;
  setvbuf(stdout, NULL, _IOLBF, 0);
  signal(SIGPIPE, SIG_IGN);
  need((base = event_base_new()) && (http_server = evhttp_new(base)) &&
           (contexts = cctx_loop_new()) &&
           cctx_with_signal(&server, cctx_background(), SIGTERM) == 0 &&
           cctx_on_done(server, contexts, on_stop, NULL, NULL) == 0,
       "no memory");
  listener =
      evhttp_bind_socket_with_handle(http_server, "127.0.0.1", (ev_uint16_t)atoi(argv[1]));
  need(listener != NULL, "the port is taken");
  evhttp_set_gencb(http_server, on_request, NULL);
  printf("listening on %s\n", argv[1]);
  run();
  evhttp_free(http_server);
  event_base_free(base);
  cctx_loop_free(contexts);
  cctx_finish(server);
  return EXIT_SUCCESS;
}
