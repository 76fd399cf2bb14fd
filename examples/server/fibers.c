/* SPDX-License-Identifier: Apache-2.0 */
/* A server of fibers: each serves a client as if it were alone, all on one thread.
 *
 *     fibers PORT [MILLISECONDS]      until SIGTERM; how long a request may take
 *     printf 'acme\nhello\n\n' | curl -sN telnet://localhost:PORT
 *
 * A connection is a request. Its first line names the tenant, each further one is answered, an
 * empty one ends it. The fibers are those of libc, <ucontext.h>.
 */
#include <arpa/inet.h>
#include <cctx.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#define FIBERS_MAX 64

struct fiber {
  ucontext_t registers;
  cctx_stack *scopes; /* what it has attached, while it does not run */
  int fd, done_fd;    /* it is run when one of them is readable */
  bool has_ended;
  char text[256]; /* what has come and is not taken: `len` bytes */
  size_t len;
  char stack[64 * 1024];
};

static struct fiber *fibers[FIBERS_MAX];
static size_t fibers_n;
static struct fiber *running;
static ucontext_t scheduler;
static cctx *server;
static int64_t limit;

static void need(bool ok, const char *what) {
  if (ok) return;
  fprintf(stderr, "fibers: %s\n", what);
  exit(EXIT_FAILURE);
}

/* ---- The switch ----------------------------------------------------------------------- */

/* Let `fiber` run until it waits. Its scopes are switched as its stack is, and put back. */
static void run(struct fiber *fiber) {
  cctx_stack *own = cctx_stack_swap(fiber->scopes);
  running = fiber;
  swapcontext(&scheduler, &fiber->registers);
  fiber->scopes = cctx_stack_swap(own);
}

/* In a fiber: others run until there is something to read, or its context is done. */
static void wait_for_input(void) {
  running->done_fd = cctx_done_fd(cctx_current());
  swapcontext(&running->registers, &scheduler);
}

/* ---- Far below: nobody passes it a context -------------------------------------------- */

static const char *tenant(void) {
  const char *name = cctx_metadata(cctx_current(), "tenant", NULL);
  return name ? name : "nobody";
}

static void note(const char *what) { printf("%s: %s\n", tenant(), what); }

static void say(const char *what) { dprintf(running->fd, "%s for %s\n", what, tenant()); }

/* ---- A fiber, as if it were alone ------------------------------------------------------- */

/* Move the next line out of the text, if it is there. */
static bool take_line(char *line) {
  char *end = memchr(running->text, '\n', running->len);
  if (end == NULL) return false;
  *end++ = '\0';
  strcpy(line, running->text);
  running->len -= (size_t)(end - running->text);
  memmove(running->text, end, running->len);
  return true;
}

/* False at an empty line, and when the current context is done. */
static bool read_line(char *line) {
  while (!take_line(line)) {
    wait_for_input();
    if (cctx_err(cctx_current()) != 0) return false;
    ssize_t n = read(running->fd, running->text + running->len,
                     sizeof running->text - running->len);
    if (n <= 0) {
      cctx_cancel(cctx_current(), "the client left");
      return false;
    }
    running->len += (size_t)n;
  }
  return line[0] != '\0';
}

static void serve_request(const char *name) {
  struct cctx_metadata_pair pair = {CCTX_REQUEST, "tenant", name, strlen(name)};
  struct cctx_request_options options = {
      .timeout = limit, .metadata = &pair, .metadata_n = 1};
  char line[sizeof running->text];
  struct cctx_cause cause;
  cctx_request request;
  need(cctx_request_begin(&request, cctx_current(), &options) == 0, "no memory");
  while (read_line(line)) {
    note(line);
    say(line);
  }
  int status = cctx_cause(cctx_current(), &cause);
  note(status == 0 ? "served" : cause.message);
  if (status != 0) say(cctx_status_word(status));
  cctx_request_end(&request);
}

/* Before it names a tenant, a client is the server's. */
static void serve_client(void) {
  char name[sizeof running->text];
  cctx *client = cctx_with_cancel(server);
  cctx_token token;
  need(client && cctx_attach(client, &token) == 0, "no memory");
  note("a client has come");
  if (read_line(name)) serve_request(name);
  cctx_detach(&token);
  cctx_finish(client);
  running->has_ended = true;
}

/* ---- The scheduler ---------------------------------------------------------------------- */

static void start_fiber(int fd) {
  struct fiber *fiber = fd < 0 || fibers_n == FIBERS_MAX ? NULL : calloc(1, sizeof *fiber);
  if (fiber == NULL) {
    close(fd);
    return;
  }
  fiber->fd = fd;
  getcontext(&fiber->registers);
  fiber->registers.uc_stack.ss_sp = fiber->stack;
  fiber->registers.uc_stack.ss_size = sizeof fiber->stack;
  fiber->registers.uc_link = &scheduler;
  makecontext(&fiber->registers, serve_client, 0);
  fibers[fibers_n++] = fiber;
  run(fiber);
}

static void free_fiber(size_t i) {
  struct fiber *fiber = fibers[i];
  fibers[i] = fibers[--fibers_n];
  cctx_stack_free(fiber->scopes);
  close(fiber->fd);
  free(fiber);
}

static void serve(int listener) {
  struct pollfd fds[2 + 2 * FIBERS_MAX];
  while (cctx_err(server) == 0 || fibers_n > 0) {
    size_t n = fibers_n;
    fds[0] = (struct pollfd){cctx_done_fd(server), POLLIN, 0};
    fds[1] = (struct pollfd){listener, POLLIN, 0};
    for (size_t i = 0; i < n; i++) {
      fds[2 + 2 * i] = (struct pollfd){fibers[i]->fd, POLLIN, 0};
      fds[3 + 2 * i] = (struct pollfd){fibers[i]->done_fd, POLLIN, 0};
    }
    if (poll(fds, 2 + 2 * n, -1) < 0) continue; /* EINTR */
    for (size_t i = n; i-- > 0;) {
      if (!fds[2 + 2 * i].revents && !fds[3 + 2 * i].revents) continue;
      run(fibers[i]);
      if (fibers[i]->has_ended) free_fiber(i);
    }
    if (fds[1].revents && cctx_err(server) == 0) start_fiber(accept(listener, NULL, NULL));
  }
}

int main(int argc, char **argv) {
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  need(argc > 1, "usage: fibers PORT [MILLISECONDS]");
  address.sin_port = htons((uint16_t)atoi(argv[1]));
  limit = (argc > 2 ? atoi(argv[2]) : 2000) * CCTX_MILLISECOND;
  setvbuf(stdout, NULL, _IOLBF, 0);
  signal(SIGPIPE, SIG_IGN);
  need(cctx_with_signal(&server, cctx_background(), SIGTERM) == 0, "no memory");
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  need(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 &&
           listen(listener, 64) == 0,
       "the port is taken");
  printf("listening on %s\n", argv[1]);
  serve(listener);
  close(listener);
  cctx_finish(server);
  return EXIT_SUCCESS;
}
