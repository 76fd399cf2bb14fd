/* SPDX-License-Identifier: Apache-2.0 */
/* A server on libuv: many requests on one thread, each callback under its own.
 *
 *     libuv PORT [MILLISECONDS]       until SIGTERM; how long a request may take
 *     printf 'acme\nhello\n\n' | curl -sN telnet://localhost:PORT
 *
 * A connection is a request. Its first line names the tenant, each further one is answered a
 * little later (`everything` never is), an empty one ends it.
 */
#include <cctx.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct client {
  uv_tcp_t tcp;
  uv_timer_t timer;     /* runs while `line` is worked on */
  cctx_request request; /* from the first line on; on_done ends it */
  char text[256];       /* what has come and is not taken: `len` bytes */
  size_t len;
  char line[256];
};

static uv_loop_t uv;
static uv_tcp_t listener;
static cctx_loop *contexts; /* calls back when a context is done, on libuv's thread */
static cctx *server;
static int64_t limit;

static void need(bool ok, const char *what) {
  if (ok) return;
  fprintf(stderr, "libuv: %s\n", what);
  exit(EXIT_FAILURE);
}

/* ---- Far below: nobody passes it a context -------------------------------------------- */

static const char *tenant(void) {
  const char *name = cctx_metadata(cctx_current(), "tenant", NULL);
  return name ? name : "nobody";
}

static void note(const char *what) { printf("%s: %s\n", tenant(), what); }

/* What the system does not take at once is lost: a server would use uv_write. */
static void say(struct client *client, const char *what) {
  char text[128];
  int n = snprintf(text, sizeof text, "%s for %s\n", what, tenant());
  uv_buf_t buf = uv_buf_init(text, (unsigned)n);
  uv_try_write((uv_stream_t *)&client->tcp, &buf, 1);
}

/* ---- A request ------------------------------------------------------------------------ */

static void on_tcp_closed(uv_handle_t *tcp) { free(tcp->data); }

static void on_timer_closed(uv_handle_t *timer) {
  struct client *client = timer->data;
  uv_close((uv_handle_t *)&client->tcp, on_tcp_closed);
}

static bool is_closing(const struct client *client) {
  return uv_is_closing((const uv_handle_t *)&client->timer);
}

/* By the contexts' loop, with background current: the request is served, or its client has
 * left, its time is over, the server stops. */
static void on_done(cctx *ctx, void *arg) {
  struct client *client = arg;
  struct cctx_cause cause;
  cctx_token token;
  int status = cctx_cause(ctx, &cause);
  if (cctx_attach(ctx, &token) == 0) {
    if (status == CCTX_EDEADLINE) say(client, cctx_status_word(status));
    note(cause.message);
    cctx_detach(&token);
  }
  cctx_request_end(&client->request);
  uv_close((uv_handle_t *)&client->timer, on_timer_closed);
}

static void begin(struct client *client) {
  struct cctx_metadata_pair pair = {CCTX_REQUEST, "tenant", client->line,
                                    strlen(client->line)};
  struct cctx_request_options options = {
      .timeout = limit, .metadata = &pair, .metadata_n = 1};
  need(cctx_request_begin(&client->request, server, &options) == 0, "no memory");
  cctx_detach(&client->request.token); /* the next callback is another's */
  client->request.token = (cctx_token){NULL, 0};
  need(cctx_on_done(client->request.ctx, contexts, on_done, client, NULL) == 0,
       "no memory");
}

static void on_timer(uv_timer_t *timer);

/* The request is current. */
static void work_on_line(struct client *client) {
  bool slow = strcmp(client->line, "everything") == 0;
  if (client->line[0] == '\0') {
    cctx_cancel(cctx_current(), "served");
  } else {
    note(client->line);
    uv_timer_start(&client->timer, on_timer, slow ? UINT32_MAX : 1, 0);
  }
}

/* Move the next line out of the text, if it is there. */
static bool take_line(struct client *client) {
  char *end = memchr(client->text, '\n', client->len);
  if (end == NULL) return false;
  *end++ = '\0';
  snprintf(client->line, sizeof client->line, "%s", client->text);
  client->len -= (size_t)(end - client->text);
  memmove(client->text, end, client->len);
  return true;
}

/* One line at a time: the timer goes on with the next. */
static void go_on(struct client *client) {
  cctx_token token;
  if (client->request.ctx == NULL && take_line(client)) begin(client);
  if (client->request.ctx == NULL || cctx_err(client->request.ctx) != 0) return;
  if (uv_is_active((uv_handle_t *)&client->timer) || !take_line(client)) return;
  need(cctx_attach(client->request.ctx, &token) == 0, "no memory");
  work_on_line(client);
  cctx_detach(&token);
}

static void on_timer(uv_timer_t *timer) {
  struct client *client = timer->data;
  cctx_token token;
  need(cctx_attach(client->request.ctx, &token) == 0, "no memory");
  say(client, client->line);
  cctx_detach(&token);
  go_on(client);
}

/* ---- libuv ---------------------------------------------------------------------------- */

static void on_room(uv_handle_t *tcp, size_t size, uv_buf_t *buf) {
  struct client *client = tcp->data;
  (void)size;
  *buf = uv_buf_init(client->text + client->len,
                     (unsigned)(sizeof client->text - client->len));
}

static void on_read(uv_stream_t *tcp, ssize_t n, const uv_buf_t *buf) {
  struct client *client = tcp->data;
  (void)buf;
  if (is_closing(client)) return;
  if (n >= 0) {
    client->len += (size_t)n;
    go_on(client);
  } else {
    uv_read_stop(tcp);
    if (client->request.ctx)
      cctx_cancel(client->request.ctx,
                  n == UV_EOF ? "the client left" : uv_strerror((int)n));
    else
      uv_close((uv_handle_t *)&client->timer, on_timer_closed);
  }
}

static void on_connection(uv_stream_t *stream, int status) {
  struct client *client = status == 0 ? calloc(1, sizeof *client) : NULL;
  if (client == NULL) return;
  uv_tcp_init(&uv, &client->tcp);
  uv_timer_init(&uv, &client->timer);
  client->tcp.data = client->timer.data = client;
  if (uv_accept(stream, (uv_stream_t *)&client->tcp) == 0)
    uv_read_start((uv_stream_t *)&client->tcp, on_room, on_read);
  note("a client has come");
}

static void close_idle(uv_handle_t *handle, void *arg) {
  struct client *client = handle->type == UV_TIMER ? handle->data : NULL;
  (void)arg;
  if (client && client->request.ctx == NULL && !is_closing(client))
    uv_close(handle, on_timer_closed);
}

static void on_stop(cctx *ctx, void *arg) {
  (void)ctx, (void)arg;
  uv_close((uv_handle_t *)&listener, NULL);
  uv_walk(&uv, close_idle, NULL);
}

static void run_contexts(uv_poll_t *poll, int status, int events) {
  (void)poll, (void)status, (void)events;
  cctx_loop_run(contexts, cctx_now());
}

/* Until all handles are closed, but for that of the contexts. */
static void run(uv_poll_t *poll) {
  cctx_token token;
  uv_poll_init(&uv, poll, cctx_loop_fd(contexts));
  uv_poll_start(poll, UV_READABLE, run_contexts);
  uv_unref((uv_handle_t *)poll);
  need(cctx_attach(cctx_background(), &token) == 0, "no memory");
  uv_run(&uv, UV_RUN_DEFAULT); /* whatever was current, no callback inherits it */
  cctx_detach(&token);
  uv_close((uv_handle_t *)poll, NULL);
  uv_run(&uv, UV_RUN_DEFAULT);
}

int main(int argc, char **argv) {
  struct sockaddr_in address;
  uv_poll_t poll;
  need(argc > 1, "usage: libuv PORT [MILLISECONDS]");
  limit = (argc > 2 ? atoi(argv[2]) : 2000) * CCTX_MILLISECOND;
  setvbuf(stdout, NULL, _IOLBF, 0);
  signal(SIGPIPE, SIG_IGN);
  need(cctx_with_signal(&server, cctx_background(), SIGTERM) == 0 &&
           (contexts = cctx_loop_new()) != NULL && uv_loop_init(&uv) == 0 &&
           cctx_on_done(server, contexts, on_stop, NULL, NULL) == 0,
       "no memory");
  uv_tcp_init(&uv, &listener);
  uv_ip4_addr("127.0.0.1", atoi(argv[1]), &address);
  need(uv_tcp_bind(&listener, (struct sockaddr *)&address, 0) == 0 &&
           uv_listen((uv_stream_t *)&listener, 64, on_connection) == 0,
       "the port is taken");
  printf("listening on %s\n", argv[1]);
  run(&poll);
  cctx_loop_free(contexts);
  cctx_finish(server);
  return uv_loop_close(&uv) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
