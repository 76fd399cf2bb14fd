/* SPDX-License-Identifier: Apache-2.0 */
/* The engine: one thread with one multi handle of libcurl, and a loop of cctx whose
 * descriptor it waits for beside the sockets. So a context that is done stops its calls at
 * once, and no other thread is needed for it.
 *
 * A job is handed over under the lock, in `arrived`; after that all of it but `dropped` is
 * the thread's. A thread that has handed one over, or set `dropped`, wakes the engine:
 * curl_multi_wakeup is remembered until the next wait. The lock is held
 * for no longer than that: not while sockets, the loop or a maker's `end` are at work.
 *
 * The child of a fork has no such thread: it begins with a new engine, and what its parent
 * had under way is never done in it.
 */
#define _GNU_SOURCE 1
#include "fetch_engine.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

/* Connections that are kept for later calls; ms of a wait without an event. */
enum { IDLE_MAX = 64, WAIT = 60000 };

static struct engine {
  CURLM *multi;
  cctx_loop *loop;
  pthread_t thread;
  bool started, closed;      /* under `lock`, as the next two */
  struct fetch_job *arrived; /* newest first */
  bool look;
  struct fetch_job *live; /* of the thread */
} engine;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ---- Jobs, on the thread ---- */

static void end_job(struct fetch_job *job, CURLcode code, bool stopped) {
  curl_multi_remove_handle(engine.multi, job->easy);
  cctx_off_done(&job->observer);
  *job->link = job->next;
  if (job->next) job->next->link = job->link;
  job->end(job, code, stopped);
}

static void stop_job(cctx *ctx, void *job) {
  (void)ctx;
  end_job(job, CURLE_OK, true);
}

static void begin_job(struct fetch_job *job) {
  job->next = engine.live;
  job->link = &engine.live;
  if (job->next) job->next->link = &job->next;
  engine.live = job;
  if (cctx_on_done(job->ctx, engine.loop, stop_job, job, &job->observer) != 0 ||
      curl_easy_setopt(job->easy, CURLOPT_PRIVATE, job) != CURLE_OK ||
      curl_multi_add_handle(engine.multi, job->easy) != CURLM_OK)
    end_job(job, CURLE_OUT_OF_MEMORY, false);
}

static void end_dropped(void) {
  struct fetch_job *next;
  for (struct fetch_job *job = engine.live; job; job = next) {
    next = job->next;
    if (atomic_load_explicit(&job->dropped, memory_order_relaxed))
      end_job(job, CURLE_OK, true);
  }
}

static void end_finished(void) {
  struct CURLMsg *message;
  int left;
  while ((message = curl_multi_info_read(engine.multi, &left)) != NULL) {
    CURLcode code = message->data.result;
    void *job = NULL;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &job);
    end_job(job, code, false);
  }
}

/* Take what others have left for the thread: false at its end. */
static bool take_news(void) {
  pthread_mutex_lock(&lock);
  struct fetch_job *arrived = engine.arrived, *next;
  bool look = engine.look, closed = engine.closed;
  engine.arrived = NULL;
  engine.look = false;
  pthread_mutex_unlock(&lock);
  for (; arrived; arrived = next) {
    next = arrived->next;
    begin_job(arrived);
  }
  if (look) end_dropped();
  return !closed;
}

static void *run_engine(void *unused) {
  struct curl_waitfd wait = {.fd = cctx_loop_fd(engine.loop), .events = CURL_WAIT_POLLIN};
  int running;
  (void)unused;
  while (take_news()) {
    cctx_loop_run(engine.loop, cctx_now());
    curl_multi_perform(engine.multi, &running);
    end_finished();
    curl_multi_poll(engine.multi, &wait, 1, WAIT, NULL);
  }
  while (engine.live) end_job(engine.live, CURLE_OK, true);
  return NULL;
}

/* ---- The thread ---- */

static void forget(void) { engine = (struct engine){.multi = NULL}; }
static void before_fork(void) { pthread_mutex_lock(&lock); }
static void after_fork(void) { pthread_mutex_unlock(&lock); }

static void after_fork_in_child(void) {
  forget();
  pthread_mutex_unlock(&lock);
}

/* What libcurl registers for the end of the process comes before our own, and so runs
 * after. */
static void prepare(void) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  atexit(fetch_close);
  pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

static void release(void) {
  if (engine.multi) curl_multi_cleanup(engine.multi);
  cctx_loop_free(engine.loop);
  engine.multi = NULL;
  engine.loop = NULL;
}

/* With all signals blocked: they are for the threads that run scripts. */
static bool start_thread(void) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  bool ok = pthread_create(&engine.thread, NULL, run_engine, NULL) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return ok;
}

static bool start(void) {
  engine.multi = curl_multi_init();
  engine.loop = cctx_loop_new();
  engine.started =
      engine.multi && engine.loop && cctx_loop_fd(engine.loop) >= 0 &&
      curl_multi_setopt(engine.multi, CURLMOPT_MAXCONNECTS, (long)IDLE_MAX) == CURLM_OK &&
      start_thread();
  if (!engine.started) release();
  return engine.started;
}

/* ---- What others call ---- */

const char *fetch_engine_take(struct fetch_job *job) {
  const char *why = NULL;
  pthread_once(&once, prepare);
  pthread_mutex_lock(&lock);
  if (engine.closed)
    why = "this program is at its end";
  else if (!engine.started && !start())
    why = "this system gave no thread or descriptor for calls";
  if (!why) {
    job->next = engine.arrived;
    engine.arrived = job;
    curl_multi_wakeup(engine.multi);
  }
  pthread_mutex_unlock(&lock);
  return why;
}

void fetch_engine_look(void) {
  pthread_mutex_lock(&lock);
  engine.look = true;
  if (engine.started) curl_multi_wakeup(engine.multi);
  pthread_mutex_unlock(&lock);
}

void fetch_close(void) {
  pthread_mutex_lock(&lock);
  bool ends = engine.started && !engine.closed;
  engine.closed = true;
  if (ends) curl_multi_wakeup(engine.multi);
  pthread_mutex_unlock(&lock);
  if (!ends) return;
  pthread_join(engine.thread, NULL);
  pthread_mutex_lock(&lock);
  engine.started = false;
  release();
  pthread_mutex_unlock(&lock);
}
