/* SPDX-License-Identifier: Apache-2.0 */
/* A fetch: one HTTP call to another server.
 *
 * Two hold it, its maker and the engine, and whoever lets go last frees it. The engine
 * writes what comes in and then sets `done`; until then the maker reads nothing of that.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fetch_call.h"
#include "fetch_engine.h"

/* Bounds of what a peer may send beside the body. */
enum { HEADERS_MAX = 256, HEADER_BYTES_MAX = 64 * 1024, NAME_SIZE = 256 };

struct fetch {
  struct fetch_job job; /* first: the engine's jobs are fetches */
  _Atomic int holders;
  _Atomic bool done;
  int fd;
  cctx *ctx; /* what it was asked for under */
  cctx *own; /* the same, or a child with the timeout */
  int64_t body_max;
  void (*wake)(void *arg);
  void *arg;
  struct curl_slist *sent;
  char name[NAME_SIZE];
  char said[CURL_ERROR_SIZE]; /* by libcurl */

  /* What came of it. */
  enum fetch_result result;
  char reason[NAME_SIZE + CURL_ERROR_SIZE + 16];
  const char *bound; /* what the peer went beyond */
  unsigned status;
  struct headers headers;
  size_t header_bytes;
  char *body;
  size_t len, room;
};

/* ---- What comes in, on the engine's thread ---- */

static size_t refuse(struct fetch *fetch, const char *bound) {
  fetch->bound = bound;
  return 0;
}

static bool make_room(struct fetch *fetch, size_t len) {
  size_t room = fetch->room ? fetch->room : 4096;
  if (len <= fetch->room - fetch->len) return true;
  while (room - fetch->len < len) room *= 2;
  char *grown = realloc(fetch->body, room);
  if (!grown) return false;
  fetch->body = grown;
  fetch->room = room;
  return true;
}

static size_t take_body(char *bytes, size_t one, size_t len, void *arg) {
  struct fetch *fetch = arg;
  (void)one;
  if ((uint64_t)fetch->len + len > (uint64_t)fetch->body_max)
    return refuse(fetch, "the body of the answer is too long");
  if (!make_room(fetch, len)) return refuse(fetch, "out of memory");
  memcpy(fetch->body + fetch->len, bytes, len);
  fetch->len += len;
  return len;
}

/* "NAME: VALUE" of `line`, which is cut: false if it is none. */
static bool split_line(char *line, char **name, char **value) {
  char *colon = strchr(line, ':');
  if (!colon) return false;
  *colon = '\0';
  *name = line;
  *value = colon + 1 + strspn(colon + 1, " \t");
  for (char *end = *value + strlen(*value); end > *value && strchr(" \t\r\n", end[-1]);)
    *--end = '\0';
  return true;
}

/* A line of any answer, of interim ones too: a status line begins anew. */
static size_t take_header(char *bytes, size_t one, size_t len, void *arg) {
  struct fetch *fetch = arg;
  char *name, *value;
  (void)one;
  if (len >= 5 && strncmp(bytes, "HTTP/", 5) == 0) {
    headers_free(&fetch->headers);
    return len;
  }
  fetch->header_bytes += len;
  if (fetch->header_bytes > HEADER_BYTES_MAX || fetch->headers.n >= HEADERS_MAX)
    return refuse(fetch, "the answer has too many headers");
  char *line = strndup(bytes, len);
  bool ok = line != NULL;
  if (ok && strlen(line) == len && split_line(line, &name, &value))
    ok = headers_join(&fetch->headers, name, value);
  free(line);
  return ok ? len : refuse(fetch, "out of memory");
}

/* A program that a handler starts gets none of these. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose,
                                 struct curl_sockaddr *address) {
  (void)arg;
  (void)purpose;
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* ---- The end ---- */

static void let_go(struct fetch *fetch) {
  if (atomic_fetch_sub(&fetch->holders, 1) > 1) return;
  if (fetch->job.easy) curl_easy_cleanup(fetch->job.easy);
  curl_slist_free_all(fetch->sent);
  headers_free(&fetch->headers);
  free(fetch->body);
  cctx_unref(fetch->own);
  cctx_unref(fetch->ctx);
  if (fetch->fd >= 0) close(fetch->fd);
  free(fetch);
}

static void fail(struct fetch *fetch, enum fetch_result result, const char *reason) {
  fetch->result = result;
  snprintf(fetch->reason, sizeof fetch->reason, "fetch %s: %s", fetch->name, reason);
}

/* Its own context is done, or somebody has ended it. */
static void set_stopped(struct fetch *fetch) {
  if (cctx_err(fetch->ctx) != 0)
    fetch->result = FETCH_STOPPED;
  else if (cctx_err(fetch->own) != 0)
    fail(fetch, FETCH_LATE, "no answer within its timeout");
  else
    fail(fetch, FETCH_FAILED, "this program is at its end");
}

static void set_outcome(struct fetch *fetch, CURLcode code) {
  long status = 0;
  if (code == CURLE_OK) {
    curl_easy_getinfo(fetch->job.easy, CURLINFO_RESPONSE_CODE, &status);
    fetch->status = (unsigned)status;
    fetch->result = FETCH_ANSWERED;
  } else if (fetch->bound) {
    fail(fetch, FETCH_FAILED, fetch->bound);
  } else {
    fail(fetch, FETCH_FAILED, fetch->said[0] ? fetch->said : curl_easy_strerror(code));
  }
}

static void finish(struct fetch *fetch) {
  atomic_store_explicit(&fetch->done, true, memory_order_release); /* fetch_is_done */
  eventfd_write(fetch->fd, 1);
  if (fetch->wake) fetch->wake(fetch->arg);
}

static void end(struct fetch_job *job, CURLcode code, bool stopped) {
  struct fetch *fetch = (struct fetch *)job;
  if (stopped)
    set_stopped(fetch);
  else
    set_outcome(fetch, code);
  finish(fetch);
  let_go(fetch);
}

/* ---- The start ---- */

static bool set_options(struct fetch *fetch, const struct fetch_call *call) {
  CURL *easy = fetch->job.easy;
  return curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, fetch->said) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_WRITEDATA, fetch) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_HEADERDATA, fetch) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_HTTPHEADER, fetch->sent) == CURLE_OK &&
         fetch_call_apply(call, easy);
}

static struct fetch *make(cctx *ctx, const struct fetch_call *call) {
  struct fetch *fetch = calloc(1, sizeof *fetch);
  if (!fetch) return NULL;
  atomic_init(&fetch->holders, 1);
  fetch->ctx = cctx_ref(ctx);
  fetch->own = call->timeout == CCTX_NEVER
                   ? cctx_ref(ctx)
                   : cctx_with_deadline_at(ctx, cctx_deadline_after(call->timeout),
                                           "timeout of a fetch", "cctx fetch", 0);
  fetch->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  fetch->body_max = call->body_max;
  fetch->job.easy = curl_easy_init();
  fetch->job.end = end;
  if (fetch->own && fetch->fd >= 0 && fetch->job.easy) return fetch;
  let_go(fetch);
  return NULL;
}

/* Hand it to the engine, or let it be done. */
static int begin(struct fetch *fetch, const struct fetch_call *call) {
  const char *why = NULL;
  int status = fetch_call_headers(call, fetch->own, &fetch->sent);
  if (status == CCTX_ENOMEM) return status;
  if (status == 0) status = cctx_err(fetch->own);
  if (status != 0) {
    set_stopped(fetch);
    finish(fetch);
    return 0;
  }
  if (!set_options(fetch, call)) return CCTX_ENOMEM;
  fetch->job.ctx = fetch->own;
  fetch->wake = call->wake;
  fetch->arg = call->arg;
  atomic_fetch_add(&fetch->holders, 1);
  if ((why = fetch_engine_take(&fetch->job)) != NULL) {
    atomic_fetch_sub(&fetch->holders, 1);
    fetch->wake = NULL;
    fail(fetch, FETCH_FAILED, why);
    finish(fetch);
  }
  return 0;
}

int fetch_start(struct fetch **out, cctx *ctx, const struct fetch_call *call, char *why,
                size_t size) {
  char name[NAME_SIZE];
  int status = fetch_call_check(call, name, sizeof name, why, size);
  if (status != 0) return status;
  cctx_check_egress(ctx);
  struct fetch *fetch = make(ctx, call);
  if (!fetch) return CCTX_ENOMEM;
  memcpy(fetch->name, name, sizeof name);
  status = begin(fetch, call);
  if (status == 0)
    *out = fetch;
  else
    let_go(fetch);
  return status;
}

void fetch_free(struct fetch *fetch) {
  if (!fetch) return;
  if (!fetch_is_done(fetch)) {
    atomic_store_explicit(&fetch->job.dropped, true, memory_order_relaxed);
    fetch_engine_look(); /* its lock orders the two */
  }
  let_go(fetch);
}

/* ---- One that is done ---- */

bool fetch_is_done(const struct fetch *fetch) {
  return atomic_load_explicit(&fetch->done, memory_order_acquire); /* finish */
}

int fetch_fd(const struct fetch *fetch) { return fetch->fd; }

bool fetch_wait(const struct fetch *fetch) {
  struct pollfd ready = {.fd = fetch->fd, .events = POLLIN};
  while (!fetch_is_done(fetch))
    if (poll(&ready, 1, -1) < 0 && errno == EINTR) return fetch_is_done(fetch);
  return true;
}

enum fetch_result fetch_result(const struct fetch *fetch) { return fetch->result; }
const char *fetch_reason(const struct fetch *fetch) { return fetch->reason; }
cctx *fetch_context(const struct fetch *fetch) { return fetch->ctx; }
unsigned fetch_status(const struct fetch *fetch) { return fetch->status; }
const struct headers *fetch_headers(const struct fetch *fetch) { return &fetch->headers; }

const char *fetch_body(const struct fetch *fetch, size_t *len) {
  *len = fetch->len;
  return fetch->body ? fetch->body : "";
}
