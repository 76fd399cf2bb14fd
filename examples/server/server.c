/* SPDX-License-Identifier: Apache-2.0 */
/* A server: one thread for the sockets, two for the work, handlers in Lua and Python.
 *
 *     server PORT [MILLISECONDS]                   until SIGTERM; how long a request may take
 *     curl localhost:PORT/LANGUAGE/TENANT/TABLE    the table `everything` takes for ever
 *
 * docs/server.md tells what to take care of.
 */
#include <arpa/inet.h>
#include <cctx.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "handlers.h"

#define WORKERS 2
#define FD_MAX 1024
#define GRACE (100 * CCTX_MILLISECOND) /* for what is under way when the server stops */

struct client {
  int fd;
  char language[8], tenant[32], table[32]; /* what it wants */
  cctx_request request;                    /* begun by the I/O thread, ended by a worker */
  cctx *ctx;          /* its context, as long as somebody is a holder: */
  atomic_int holders; /* the I/O thread until it has answered, a worker until the end */
  atomic_bool answered;
  char answer[ANSWER_MAX]; /* the worker's alone until `answered` */
};

static cctx *server; /* its end is that of all requests */
static cctx_loop *loop;
static int queue[2]; /* a pipe: pointers to clients on their way to a worker */
static int64_t limit;

/* Of the I/O thread, by descriptor: */
static void (*on_event[FD_MAX])(int fd);
static struct client *clients[FD_MAX]; /* from begin to answer */
static int epoll;
static bool stopping;

static void need(bool ok, const char *what) {
  if (ok) return;
  fprintf(stderr, "server: %s\n", what);
  exit(EXIT_FAILURE);
}

/* ---- A request, from begin to end ----------------------------------------------------- */

static cctx_done_fn answer;

static void release(struct client *client) {
  if (atomic_fetch_sub(&client->holders, 1) > 1) return;
  cctx_unref(client->ctx);
  free(client);
}

/* I/O thread: the client has said what it wants. */
static void begin(struct client *client) {
  struct cctx_metadata_pair tenant = {CCTX_REQUEST, "tenant", client->tenant,
                                      strlen(client->tenant)};
  struct cctx_request_options options = {
      .timeout = limit, .metadata = &tenant, .metadata_n = 1};
  need(cctx_request_begin(&client->request, server, &options) == 0, "no memory");
  cctx_detach(&client->request.token);           /* this thread works for many */
  client->request.token = (cctx_token){NULL, 0}; /* so the end has nothing to detach */
  client->ctx = cctx_ref(client->request.ctx);
  atomic_init(&client->holders, 2);
  need(cctx_on_done(client->ctx, loop, answer, client, NULL) == 0, "no memory");
  need(write(queue[1], &client, sizeof client) == sizeof client, "no queue");
}

/* I/O thread. One that closes only its sending half is taken to have left, too. */
static void leave(int fd) { cctx_cancel(clients[fd]->ctx, "the client left"); }

/* A worker. What was stopped while it was queued is only ended. */
static void work_on(struct client *client, lua_State *L) {
  bool is_lua = strcmp(client->language, "lua") == 0;
  cctx_token token;
  if (cctx_err(client->ctx) == 0 && cctx_attach(client->ctx, &token) == 0) {
    bool ok = is_lua ? lua_ask(L, client->ctx, client->table, client->answer)
                     : python_ask(client->ctx, client->table, client->answer);
    atomic_store(&client->answered, ok && cctx_err(client->ctx) == 0);
    cctx_detach(&token);
  }
  cctx_request_end(&client->request); /* on another thread than it began */
  release(client);
}

/* I/O thread, called by its loop: the request has ended; or its deadline, the client or the
 * server has stopped it, and a worker may be late and still at it. */
static void answer(cctx *ctx, void *arg) {
  struct client *client = arg;
  struct cctx_cause cause;
  const char *word = cctx_status_word(cctx_cause(ctx, &cause));
  bool answered = atomic_load(&client->answered);
  printf("%s: %s\n", client->tenant, answered ? "answered" : cause.message);
  dprintf(client->fd, "HTTP/1.0 %s\r\n\r\n%s\n", answered ? "200 OK" : "503 Stopped",
          answered ? client->answer : word);
  close(client->fd);
  clients[client->fd] = NULL;
  release(client);
}

/* ---- The workers ---------------------------------------------------------------------- */

static void *work(void *arg) {
  struct client *client;
  lua_State *L = lua_start();
  (void)arg;
  need(L != NULL, "no Lua");
  while (read(queue[0], &client, sizeof client) == sizeof client) work_on(client, L);
  lua_close(L);
  return NULL;
}

/* ---- The I/O thread: an event loop, with the library's inside --------------------------- */

static void watch(int fd, uint32_t events, int how, void (*fn)(int fd)) {
  struct epoll_event event = {events, {.fd = fd}};
  need(fd < FD_MAX && epoll_ctl(epoll, how, fd, &event) == 0, "no room in epoll");
  on_event[fd] = fn;
}

/* A request comes in one piece here: who wants more has a parser, and a limit for it. */
static void hear(int fd) {
  struct client *client = calloc(1, sizeof *client);
  char head[1024];
  ssize_t n = read(fd, head, sizeof head - 1);
  head[n > 0 ? n : 0] = '\0';
  if (client && sscanf(head, "GET /%7[a-z]/%31[a-z]/%31[a-z] ", client->language,
                       client->tenant, client->table) == 3) {
    client->fd = fd;
    clients[fd] = client;
    watch(fd, EPOLLRDHUP, EPOLL_CTL_MOD, leave);
    begin(client);
  } else {
    close(fd);
    free(client);
  }
}

static void arrive(int listener) {
  int fd = accept(listener, NULL, NULL);
  if (fd >= FD_MAX)
    close(fd);
  else if (fd >= 0)
    watch(fd, EPOLLIN, EPOLL_CTL_ADD, hear);
}

static void run_loop(int fd) {
  (void)fd;
  cctx_loop_run(loop, cctx_now());
}

static void stop(cctx *ctx, void *arg) {
  (void)ctx, (void)arg;
  stopping = true;
}

static int listen_on(const char *port) {
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)atoi(port)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  need(bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 64) == 0,
       "the port is taken");
  return fd;
}

static void serve(int listener) {
  struct epoll_event event;
  watch(listener, EPOLLIN, EPOLL_CTL_ADD, arrive);
  watch(cctx_loop_fd(loop), EPOLLIN, EPOLL_CTL_ADD, run_loop);
  while (!stopping)
    if (epoll_wait(epoll, &event, 1, -1) == 1) on_event[event.data.fd](event.data.fd);
}

int main(int argc, char **argv) {
  pthread_t workers[WORKERS];
  cctx *term;
  need(argc > 1, "usage: server PORT [MILLISECONDS]");
  limit = (argc > 2 ? atoi(argv[2]) : 2000) * CCTX_MILLISECOND;
  setvbuf(stdout, NULL, _IOLBF, 0);
  signal(SIGPIPE, SIG_IGN);
  need((loop = cctx_loop_new()) && (epoll = epoll_create1(0)) >= 0 && pipe(queue) == 0 &&
           cctx_with_signal(&term, cctx_background(), SIGTERM) == 0 &&
           (server = cctx_with_grace(term, GRACE)) &&
           cctx_on_done(term, loop, stop, NULL, NULL) == 0,
       "no memory");
  int listener = listen_on(argv[1]);
  need(python_start(), "no Python");
  for (int i = 0; i < WORKERS; i++)
    need(pthread_create(&workers[i], NULL, work, NULL) == 0, "no threads");
  printf("listening on %s\n", argv[1]);
  serve(listener);
  /* From the front to the back: no new requests, none under way, none unanswered; then what
   * they stood on. */
  close(listener);
  close(queue[1]);
  for (int i = 0; i < WORKERS; i++) pthread_join(workers[i], NULL);
  cctx_loop_run(loop, cctx_now());
  python_stop(); /* waits for threads that handlers have left */
  cctx_loop_free(loop);
  cctx_finish(server);
  cctx_finish(term);
  return EXIT_SUCCESS;
}
