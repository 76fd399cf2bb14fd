/* SPDX-License-Identifier: Apache-2.0 */
/* A request: what came, the context it is worked on under, and what is answered. */
#define _GNU_SOURCE 1
#include "request.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "late.h"
#include "wait.h"
#include "watch.h"

static cctx *root;

/* Bytes of the bodies of all that are not freed. Only the I/O thread adds any. */
static atomic_size_t bodies;
static size_t bodies_max;

/* All that are begun and not finished, to be looked at. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct condition changed = CONDITION_INIT;
static struct request *live; /* under `lock`; the latest first */
static size_t live_n;        /* under `lock` */
static bool stopping;        /* under `lock`: none may begin any more */
static size_t unanswered;    /* under `lock`: begun, and not freed */
static uint64_t count;       /* of the I/O thread */

/* ---- What came ---- */

struct request *request_new(const char *uri) {
  struct request *request = calloc(1, sizeof *request);
  if (!request) return NULL;
  const char *mark = strchr(uri, '?');
  request->number = ++count;
  request->owners = 1;
  request->arrived = cctx_now();
  request->watched = -1;
  strcpy(request->trace, "-");
  const char *nul = strstr(uri, "%00");
  request->is_cut = nul && (!mark || nul < mark);
  request->query = strdup(mark ? mark + 1 : "");
  if (request->query) return request;
  free(request);
  return NULL;
}

static void drop_body(struct request *request) {
  atomic_fetch_sub(&bodies, request->len);
  free(request->body);
  request->body = NULL;
  request->len = 0;
}

void request_free(struct request *request) {
  if (atomic_fetch_sub(&request->owners, 1) > 1) return;
  if (request->begun) {
    pthread_mutex_lock(&lock);
    unanswered--;
    condition_signal(&changed);
    pthread_mutex_unlock(&lock);
  }
  headers_free(&request->headers);
  headers_free(&request->answer.headers);
  free(request->answer.body);
  free(request->method);
  free(request->path);
  free(request->query);
  drop_body(request);
  free(request);
}

bool request_set_line(struct request *request, const char *method, const char *path) {
  request->method = strdup(method);
  request->path = strdup(path);
  return request->method && request->path;
}

bool request_add_header(struct request *request, const char *name, const char *value) {
  return headers_join(&request->headers, name, value);
}

/* Of one that will be refused, nothing is kept. */
bool request_add_body(struct request *request, const char *bytes, size_t len) {
  if (request->too_large || request->is_crowded) return true;
  request->too_large = len > BODY_MAX - request->len;
  request->is_crowded = len > bodies_max - atomic_load(&bodies);
  if (request->too_large || request->is_crowded) {
    drop_body(request);
    return true;
  }
  char *grown = realloc(request->body, request->len + len);
  if (!grown) return false;
  memcpy(grown + request->len, bytes, len);
  request->body = grown;
  request->len += len;
  atomic_fetch_add(&bodies, len);
  return true;
}

/* ---- The work ---- */

/* Begun, and current nowhere: between two calls of its handler, as before the first, a
 * request's thread works for others. */
static int mark_begin(cctx_request *mark, cctx *parent) {
  const struct cctx_request_options options = {.response = true};
  int status = cctx_request_begin(mark, parent, &options);
  cctx_detach(&mark->token);
  mark->token = (cctx_token){NULL, 0}; /* its end has nothing to detach */
  return status;
}

int request_begin(struct request *request, cctx *ctx) {
  int status = mark_begin(&request->mark, ctx);
  cctx_unref(ctx);
  if (status != 0) return status;
  pthread_mutex_lock(&lock);
  bool may = !stopping;
  if (may) {
    request->ctx = request->mark.ctx;
    request->begun = true;
    request->owners = 2;
    unanswered++;
    request->live_next = live;
    request->live_link = &live;
    if (live) live->live_link = &request->live_next;
    live = request;
    live_n++;
  }
  pthread_mutex_unlock(&lock);
  if (!may) cctx_request_end(&request->mark);
  return may ? 0 : CCTX_ECANCELED;
}

/* What code below the handler has set goes beside the headers that the handler returned. */
static void answer_response(struct request *request) {
  struct cctx_metadata_pair pair;
  cctx_response_end(request->mark.ctx);
  cctx *response = cctx_response(request->mark.ctx);
  for (size_t i = 0; cctx_metadata_at(response, i, &pair) == 0; i++)
    if (strlen(pair.value) == pair.len &&
        !headers_have(&request->answer.headers, pair.name))
      request_answer_header(request, pair.name, pair.value);
  cctx_unref(response);
}

void request_let_go(struct request *request) {
  watch_end(request);
  answer_response(request);
  if (!request->late) request->cause = cause_of(request->ctx);
  pthread_mutex_lock(&lock);
  live_n--;
  *request->live_link = request->live_next;
  if (request->live_next) request->live_next->live_link = request->live_link;
  request->ctx = NULL;
  pthread_mutex_unlock(&lock);
  cctx_request_end(&request->mark);
  if (!request->late) request->resume(request);
  request_free(request);
}

void request_finish(struct request *request) {
  late_end(request);
  request_let_go(request);
}

/* ---- All of them ---- */

bool request_open(size_t room) {
  bodies_max = room;
  root = cctx_with_cancel(cctx_background());
  return root != NULL;
}

cctx *request_root(void) { return root; }

void request_close(void) {
  cctx_unref(root);
  root = NULL;
}

/* Canceling may run what a handler has registered: so no lock is held. */
void request_stop_all(const char *message) {
  pthread_mutex_lock(&lock);
  stopping = true;
  pthread_mutex_unlock(&lock);
  cctx_cancel_at(root, message, CAUSE_FILE, 0);
}

bool request_wait_idle(int64_t deadline) {
  pthread_mutex_lock(&lock);
  while (unanswered > 0 && condition_wait(&changed, &lock, deadline)) continue;
  bool idle = unanswered == 0;
  pthread_mutex_unlock(&lock);
  return idle;
}

/* ---- Watching ---- */

static void cut(char *to, size_t size, const char *from) {
  size_t len = strnlen(from, size - 1);
  memcpy(to, from, len);
  to[len] = '\0';
}

static void view(struct request_view *to, const struct request *from) {
  to->number = from->number;
  to->arrived = from->arrived;
  to->route = from->route;
  to->ctx = cctx_ref(from->ctx);
  memcpy(to->trace, from->trace, sizeof to->trace);
  cut(to->method, sizeof to->method, from->method);
  cut(to->path, sizeof to->path, from->path);
}

size_t request_watch(struct request_view *views, size_t max, size_t *all) {
  size_t n = 0;
  pthread_mutex_lock(&lock);
  size_t skip = live_n > max ? live_n - max : 0;
  for (struct request *request = live; request; request = request->live_next)
    if (skip > 0)
      skip--;
    else
      view(&views[n++], request);
  *all = live_n;
  pthread_mutex_unlock(&lock);
  return n;
}

size_t request_live(void) {
  pthread_mutex_lock(&lock);
  size_t n = live_n;
  pthread_mutex_unlock(&lock);
  return n;
}

/* ---- What is answered ---- */

/* Half of an answer is none. */
static void lose_answer(struct answer *answer) {
  headers_free(&answer->headers);
  free(answer->body);
  *answer = (struct answer){.status = 500, .is_lost = true};
}

void request_answer(struct request *request, unsigned status, const char *body,
                    size_t len) {
  struct answer *answer = &request->answer;
  if (answer->is_lost) return;
  char *copy = malloc(len ? len : 1);
  if (!copy) {
    lose_answer(answer);
    return;
  }
  free(answer->body);
  answer->body = copy;
  answer->len = len;
  answer->status = status;
  if (len) memcpy(copy, body, len);
}

void request_answer_text(struct request *request, unsigned status, const char *text) {
  headers_free(&request->answer.headers);
  request_answer(request, status, text, strlen(text));
}

void request_answer_header(struct request *request, const char *name, const char *value) {
  static const char *const framing[] = {"content-length", "transfer-encoding",
                                        "connection"};
  for (size_t i = 0; i < sizeof framing / sizeof *framing; i++)
    if (strcasecmp(name, framing[i]) == 0) return;
  if (request->answer.is_lost) return;
  if (!headers_add(&request->answer.headers, name, value)) lose_answer(&request->answer);
}

void request_answer_stopped(struct request *request, int status) {
  if (status == CCTX_EDEADLINE)
    request_answer_text(request, 504, DEADLINE_EXCEEDED);
  else
    request_answer_text(request, 503, "context canceled\n");
}
