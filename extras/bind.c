/* SPDX-License-Identifier: Apache-2.0 */
/* Binding: a context and a function, called together. */
#include <cctx/bind.h>

#include <cctx/backup.h>
#include <cctx/interpreter.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct cctx_bound {
  cctx *ctx; /* owned */
  void (*fn)(void *arg);
  void *arg;
};

/* What another thread may have of `ctx` (NULL: of what is current). */
static cctx *capture(cctx *ctx) {
  cctx *own = ctx ? cctx_ref(ctx) : cctx_current_ref(), *captured = cctx_capture(own);
  cctx_unref(own);
  return captured;
}

cctx_bound *cctx_bind(cctx *ctx, void (*fn)(void *arg), void *arg) {
  cctx_bound *bound = malloc(sizeof *bound);
  assert(fn != NULL && "cctx_bind: no function");
  if (bound == NULL) return NULL;
  bound->ctx = capture(ctx);
  bound->fn = fn;
  bound->arg = arg;
  if (bound->ctx) return bound;
  free(bound);
  return NULL;
}

void cctx_bound_free(cctx_bound *bound) {
  if (bound == NULL) return;
  cctx_unref(bound->ctx);
  free(bound);
}

/* The function may free what it is bound by, so that is not looked at once it runs; the
 * scope keeps the context. */
static int call(cctx_bound *bound, bool is_last) {
  cctx_bound copy;
  cctx_token token;
  int status;
  assert(bound != NULL && "cctx_bound_call: nothing is bound");
  copy = *bound;
  status = cctx_attach(copy.ctx, &token);
  if (status != CCTX_OK) return status;
  if (is_last) cctx_bound_free(bound);
  copy.fn(copy.arg);
  cctx_detach(&token);
  return CCTX_OK;
}

int cctx_bound_call(cctx_bound *bound) { return call(bound, false); }

int cctx_bound_call_once(cctx_bound *bound) { return call(bound, true); }

/* ---- Threads ---------------------------------------------------------------------- */

/* On the stack of who creates the thread, until `begun`. */
struct start {
  cctx *ctx; /* borrowed */
  enum cctx_lifetime lifetime;
  void *(*fn)(void *arg);
  void *arg;
  pthread_mutex_t lock; /* guards the rest */
  pthread_cond_t changed;
  bool begun;
  int status; /* of the attach */
};

static void leave(void *token) { cctx_detach((cctx_token *)token); }

/* The scope ends with the thread, however that ends (pthread_exit, cancellation). */
static void *run(void *memory) {
  struct start *start = memory;
  struct cctx_origin origin = {
      .lifetime = start->lifetime, .file = __FILE__, .line = __LINE__};
  void *(*fn)(void *) = start->fn;
  void *arg = start->arg, *result = NULL;
  cctx_token token;
  int status = cctx_attach_as(start->ctx, &origin, &token);
  pthread_mutex_lock(&start->lock);
  start->status = status;
  start->begun = true;
  pthread_cond_signal(&start->changed);
  pthread_mutex_unlock(&start->lock); /* the last that is seen of `start` */
  if (status != CCTX_OK) return NULL;
  pthread_cleanup_push(leave, &token);
  result = fn(arg);
  pthread_cleanup_pop(true);
  return result;
}

/* Not to be canceled meanwhile: `start` is on this stack. */
static int wait_for(struct start *start) {
  int state;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
  pthread_mutex_lock(&start->lock);
  while (!start->begun) pthread_cond_wait(&start->changed, &start->lock);
  pthread_mutex_unlock(&start->lock);
  pthread_setcancelstate(state, &state);
  return start->status;
}

/* Whether a thread of `attr` is there to be joined. */
static bool is_joinable(const pthread_attr_t *attr) {
  int state = PTHREAD_CREATE_JOINABLE;
  if (attr) pthread_attr_getdetachstate(attr, &state);
  return state == PTHREAD_CREATE_JOINABLE;
}

static int create(pthread_t *thread, const pthread_attr_t *attr, struct start *start) {
  int error;
  if (start->ctx == NULL) return ENOMEM;
  pthread_mutex_init(&start->lock, NULL);
  pthread_cond_init(&start->changed, NULL);
  error = pthread_create(thread, attr, run, start);
  if (error == 0 && wait_for(start) != CCTX_OK) {
    if (is_joinable(attr)) pthread_join(*thread, NULL);
    error = ENOMEM;
  }
  pthread_cond_destroy(&start->changed);
  pthread_mutex_destroy(&start->lock);
  cctx_unref(start->ctx);
  return error;
}

int cctx_thread_create(pthread_t *thread, const pthread_attr_t *attr,
                       void *(*fn)(void *arg), void *arg) {
  struct start start = {
      .fn = fn, .arg = arg, .lifetime = CCTX_HANDED_OVER, .ctx = capture(NULL)};
  assert(fn != NULL && "cctx_thread_create: no function");
  return create(thread, attr, &start);
}

int cctx_thread_inherit(pthread_t *thread, const pthread_attr_t *attr,
                        void *(*fn)(void *arg), void *arg) {
  struct start start = {
      .fn = fn, .arg = arg, .lifetime = CCTX_INHERITED, .ctx = capture(NULL)};
  assert(fn != NULL && "cctx_thread_inherit: no function");
  return create(thread, attr, &start);
}

struct job {
  void (*fn)(void *arg);
  void *arg;
};

static void *do_job(void *memory) {
  struct job job = *(struct job *)memory;
  free(memory);
  job.fn(job.arg);
  return NULL;
}

int cctx_go(void (*fn)(void *arg), void *arg) {
  struct job *job = malloc(sizeof *job);
  pthread_attr_t attr;
  pthread_t thread;
  int error;
  assert(fn != NULL && "cctx_go: no function");
  if (job == NULL) return ENOMEM;
  *job = (struct job){fn, arg};
  pthread_attr_init(&attr);
  pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  error = cctx_thread_create(&thread, &attr, do_job, job);
  pthread_attr_destroy(&attr);
  if (error != 0) free(job);
  return error;
}
