/* SPDX-License-Identifier: Apache-2.0 */
/* The world of the Lua hunt: its schedule, its contexts, and what C code does with them. */
#ifndef LUA_WORLD_H
#define LUA_WORLD_H

#define LCCTX_HOST
#include "../../bindings/lua/compat.h"

#include <cctx/lua.h>

#include <cctx.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "lua_model.h"

enum { WORKERS = 3, STATES = 3, COROUTINES = 6, NODES = 6, TOKENS = 8, REQUESTS = 5 };
enum { ROUND = 400, DEPTH = 10, FOREVER = 1 << 30 };

struct node {
  cctx *ctx;
  long id;
  int mark;
};

struct state {
  lua_State *L;
  bool busy, installed; /* cctx.install() */
  struct coroutine main, coroutines[COROUTINES];
};

struct worker {
  int number, depth;
  bool done;
  struct stack stack;
  pthread_t thread;
};

struct token {
  cctx_token token;
  int worker;
  long serial;
};

struct request {
  bool begun;
  cctx_request request;
  struct node node;
  int worker;
  long serial;
};

static struct {
  unsigned *steps;
  int taken, n;
  bool tracing, wrong;
  long ids, questions;
  struct node nodes[NODES];
  struct token tokens[TOKENS];
  int tokens_n;
  struct request requests[REQUESTS];
  struct state states[STATES];
  struct worker workers[WORKERS];
  pthread_mutex_t mutex;
  pthread_cond_t passed;
  int baton;
} world;

static _Thread_local struct worker *me;

/* ---- The schedule ---- */

struct number {
  int code, a, b;
  bool any;
};

static struct number next(void) {
  unsigned step;
  if (world.taken >= world.n || world.wrong) return (struct number){.any = false};
  step = world.steps[world.taken++];
  return (struct number){step & 255, step >> 8 & 255, step >> 16 & 255, true};
}

#define TRACE(...)                                                                         \
  do {                                                                                     \
    if (world.tracing) {                                                                   \
      printf("%4d worker %d: ", world.taken, me->number);                                  \
      printf(__VA_ARGS__);                                                                 \
      putchar('\n');                                                                       \
    }                                                                                      \
  } while (0)

static void hold(const char *how, struct answer right, long got) {
  world.questions++;
  if (world.wrong || is_right(right, got)) return;
  world.wrong = true;
  printf("WRONG CONTEXT: step %d: worker %d asked %s: got %ld (%s), right is %ld%s\n",
         world.taken, me->number, how, got, got ? "a wrong context" : "background",
         right.id, has_ended(right.mark) ? ", whose request has ended" : "");
}

static long id_of(const cctx *ctx) {
  const char *text = cctx_metadata(ctx, "hunt", NULL);
  return text ? atol(text) : 0;
}

/* Let worker `to` go on, and wait for the baton. */
static void pass(int to) {
  pthread_mutex_lock(&world.mutex);
  world.baton = to;
  pthread_cond_broadcast(&world.passed);
  while (world.baton != me->number) pthread_cond_wait(&world.passed, &world.mutex);
  pthread_mutex_unlock(&world.mutex);
}

static void switch_worker(int to) {
  struct worker *other = &world.workers[to % WORKERS];
  if (other == me || other->done) return;
  TRACE("waits while worker %d goes on", other->number);
  pass(other->number);
}

/* ---- Contexts ---- */

static cctx *derive(cctx *parent, long id) {
  char text[24];
  struct cctx_metadata_pair pair = {CCTX_REQUEST, "hunt", text, 0};
  cctx *ctx = NULL;
  pair.len = (size_t)snprintf(text, sizeof text, "%ld", id);
  if (cctx_with_metadata(&ctx, parent, &pair, 1, NULL) != CCTX_OK) abort();
  return ctx;
}

static struct node *node(int number) { return &world.nodes[number % NODES]; }

static struct answer as(const struct node *node, enum lifetime lifetime) {
  return (struct answer){node->id, node->mark, lifetime};
}

/* As attached over what is current on this thread. */
static struct answer attached(const struct node *node) {
  return as(node, lifetime_of(as(node, EITHER), current(&me->stack)));
}

static void renew_node(int number, int kind) {
  struct node *at = node(number), *parent = node(number + 1);
  cctx *old = at->ctx;
  bool child = kind < 150 && parent->ctx;
  at->id = ++world.ids;
  at->mark = child ? parent->mark : 0;
  at->ctx = derive(child ? parent->ctx : cctx_background(), at->id);
  cctx_unref(old);
}

/* ---- Brackets of C code ---- */

static void attach(int number) {
  struct answer is = attached(node(number));
  struct token *token;
  if (world.tokens_n == TOKENS) return;
  token = &world.tokens[world.tokens_n++];
  TRACE("cctx_attach(%ld)", is.id);
  if (cctx_attach(node(number)->ctx, &token->token) != CCTX_OK) abort();
  token->worker = me->number;
  token->serial = push(&me->stack, is, NULL);
}

static void leave_bracket(int worker, long serial) {
  leave(&world.workers[worker].stack, serial, worker != me->number);
}

/* Mostly the last token; `keep`: to be used once more. */
static void detach(int number, bool keep) {
  int last = world.tokens_n - 1;
  struct token *token;
  if (last < 0) return;
  token = &world.tokens[number & 3 ? last : (number >> 2) % world.tokens_n];
  TRACE("cctx_detach(the token of bracket %ld of worker %d)", token->serial, token->worker);
  cctx_detach(&token->token);
  leave_bracket(token->worker, token->serial);
  if (keep) return;
  *token = world.tokens[last];
  world.tokens_n--;
}

static int new_mark(int outer) {
  if (++marks_n == MARKS) abort();
  marks[marks_n] = (struct mark){outer, false};
  return marks_n;
}

static void begin_request(int number) {
  struct request *request = &world.requests[number % REQUESTS];
  struct node *parent = node(number), *kept = node(number + 2);
  char text[24];
  struct cctx_metadata_pair pair = {CCTX_REQUEST, "hunt", text, 0};
  struct cctx_request_options options = {.metadata = &pair, .metadata_n = 1};
  if (request->begun) return;
  request->begun = true;
  request->node = (struct node){NULL, ++world.ids, new_mark(parent->mark)};
  pair.len = (size_t)snprintf(text, sizeof text, "%ld", world.ids);
  TRACE("a request begins with %ld, child of %ld", world.ids, parent->id);
  if (cctx_request_begin(&request->request, parent->ctx, &options) != CCTX_OK) abort();
  request->worker = me->number;
  request->serial = push(&me->stack, as(&request->node, INHERITED), NULL);
  cctx_unref(kept->ctx);
  *kept = request->node;
  kept->ctx = cctx_ref(request->request.ctx);
}

static void end_request(int number) {
  struct request *request = &world.requests[number % REQUESTS];
  if (!request->begun) return;
  TRACE("the request of %ld ends", request->node.id);
  cctx_request_end(&request->request);
  marks[request->node.mark].over = true;
  leave_bracket(request->worker, request->serial);
  request->begun = false;
}

/* C attaches, asks and detaches, as C code below a coroutine must before it returns. */
static void attach_for_a_moment(int number) {
  struct answer is = attached(node(number));
  cctx_token token;
  long serial;
  TRACE("cctx_attach(%ld) for a moment", is.id);
  if (cctx_attach(node(number)->ctx, &token) != CCTX_OK) abort();
  serial = push(&me->stack, is, NULL);
  hold("in C inside an attach", current(&me->stack), id_of(cctx_current()));
  cctx_detach(&token);
  leave(&me->stack, serial, false);
}

/* What any code can do; false: it is none of these. What `opens` may leave open what it
 * attached; in a coroutine Lua would go on with what that has (docs/lua.md). */
static bool do_anywhere(struct number n, bool opens) {
  switch (n.code % 16) {
  case 0: opens ? attach(n.a) : attach_for_a_moment(n.a); return true;
  case 1: detach(n.a, n.b < 40); return true;
  case 2:
    if (opens) begin_request(n.a);
    return true;
  case 3: end_request(n.a); return true;
  case 4: renew_node(n.a, n.b); return true;
  case 5: switch_worker(n.a); return true;
  default: return false;
  }
}

#endif
