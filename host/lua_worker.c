/* SPDX-License-Identifier: Apache-2.0 */
/* The Lua workers: each thread has a state of its own, and in it a coroutine for each
 * request that it works on, bound to the context of that request.
 *
 * Nothing is called that may raise but inside a protected call: an error in the worker's
 * own code costs one request, never the process.
 */
#define _GNU_SOURCE 1
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fetch_lua.h"
#include "log.h"
#include "lua_globals.h"
#include "lua_request.h"
#include "lua_state.h"
#include "server.h"

/* Requests that one worker takes at once; how long it sleeps when all have yielded, and
 * when all wait for a fetch, whose end wakes it: handlers may resume each other, so it
 * looks even then. */
enum { JOBS_MAX = 1024 };
#define PAUSE CCTX_MILLISECOND
#define LONG_PAUSE (20 * CCTX_MILLISECOND)

struct job {
  struct request *request;
  lua_State *co; /* anchored in the registry by `ref` */
  int ref;
  int globals;  /* a reference to its table of globals */
  int nargs;    /* on its stack, for the next resume */
  bool fetches; /* it has yielded for a fetch */
};

struct worker {
  struct server *server;
  lua_State *L;
  struct lua_setup setup;
  const struct cctx_lua_api *api;
  int create;                  /* a reference to cctx.create */
  int guard;                   /* one to cctx.guard; LUA_NOREF: handlers are not stopped */
  int *handlers;               /* references to functions, by route */
  struct lua_globals *globals; /* by route */
  struct job jobs[JOBS_MAX];
  size_t n;
};

/* ---- Loading ---- */

static int load_routes(lua_State *L) {
  struct worker *worker = lua_touserdata(L, 1);
  const struct server *server = worker->server;
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getfield(L, -1, "cctx");
  lua_getfield(L, -1, "create");
  worker->create = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_getfield(L, -1, "guard");
  worker->guard = luaL_ref(L, LUA_REGISTRYINDEX);
  if (!server->guard) worker->guard = LUA_NOREF;
  for (size_t i = 0; i < server->routes_n; i++) {
    const char *file = server->routes[i].file;
    if (server->routes[i].language != LANGUAGE_LUA) continue;
    lua_globals_load(L, &worker->globals[i], file);
    if (!lua_isfunction(L, -1))
      return luaL_error(L, "%s returned a %s, not a function that handles requests", file,
                        luaL_typename(L, -1));
    worker->handlers[i] = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  return 0;
}

static void nudge(void *queue) { queue_nudge(queue); }

/* Fills `worker`: false with a sentence in `why`. */
static bool open_worker(struct worker *worker, char *why, size_t size) {
  struct server *server = worker->server;
  worker->setup = (struct lua_setup){.paths = server->lua_paths.at,
                                     .paths_n = server->lua_paths.n,
                                     .wake = nudge,
                                     .wake_arg = &server->lua};
  worker->handlers = calloc(server->routes_n, sizeof *worker->handlers);
  worker->globals = calloc(server->routes_n, sizeof *worker->globals);
  bool ok = worker->handlers && worker->globals;
  worker->L = ok ? lua_state_open(&worker->setup, why, size) : NULL;
  if (!worker->L) return false;
  worker->api = worker->setup.api;
  lua_pushcfunction(worker->L, load_routes);
  lua_pushlightuserdata(worker->L, worker);
  if (lua_pcall(worker->L, 1, 0, 0) == LUA_OK) return true;
  const char *text = lua_tostring(worker->L, -1);
  snprintf(why, size, "%.*s", text ? (int)strcspn(text, "\n") : 26,
           text ? text : "an error without a message");
  return false;
}

static void close_worker(struct worker *worker) {
  if (worker->L) lua_close(worker->L);
  free(worker->handlers);
  free(worker->globals);
}

/* Globals are those of the request of `job` from now on, or those of its file. */
static void use_globals(struct worker *worker, const struct job *job, bool on) {
  const struct lua_globals *globals = &worker->globals[job->request->route];
  lua_globals_use(worker->L, globals, on ? job->globals : LUA_NOREF);
}

/* ---- The end of a job ---- */

/* Call `function`(worker, job) protected, and with the context of the request. An error in
 * it is logged. */
static bool call_protected(struct worker *worker, struct job *job, lua_CFunction function) {
  lua_State *L = worker->L;
  lua_pushcfunction(L, function);
  lua_pushlightuserdata(L, worker);
  lua_pushlightuserdata(L, job);
  bool ok = worker->api->pcall(L, job->request->ctx, 2, 0, 0) == LUA_OK;
  if (!ok) {
    const char *text = lua_tostring(L, -1);
    log_error(job->request, text ? text : "an error without a message");
    lua_pop(L, 1);
  }
  return ok;
}

/* (worker, job): run the closers of the coroutine, and let go of it. */
static int drop_coroutine(lua_State *L) {
  struct worker *worker = lua_touserdata(L, 1);
  struct job *job = lua_touserdata(L, 2);
  worker->api->close(job->co, L);
  lua_settop(job->co, 0);
  worker->api->bind(L, job->co, NULL);
  return 0;
}

/* (worker, job): the results of the coroutine are the answer. */
static int take_results(lua_State *L) {
  struct job *job = lua_touserdata(L, 2);
  int n = lua_gettop(job->co);
  lua_settop(L, 0);
  luaL_checkstack(L, n, "too many results of the handler");
  lua_xmove(job->co, L, n);
  lua_request_answer(L, job->request);
  return 0;
}

/* (worker, job): the error on the coroutine's stack is answered, or logged. */
static int take_error(lua_State *L) {
  struct job *job = lua_touserdata(L, 2);
  int code = lua_state_code(job->co, -1);
  if (code != 0) {
    request_answer_stopped(job->request, code);
    return 0;
  }
  request_answer_text(job->request, 500, "internal server error\n");
  lua_xmove(job->co, L, 1);
  luaL_traceback(L, job->co, luaL_tolstring(L, -1, NULL), 0);
  log_error(job->request, lua_tostring(L, -1));
  return 0;
}

/* Finish the request, for which `take` (or NULL) finds the answer. */
static void end_job(struct worker *worker, struct job *job, lua_CFunction take) {
  if (take && !call_protected(worker, job, take))
    request_answer_text(job->request, 500, "internal server error\n");
  call_protected(worker, job, drop_coroutine);
  use_globals(worker, job, false);
  luaL_unref(worker->L, LUA_REGISTRYINDEX, job->globals);
  luaL_unref(worker->L, LUA_REGISTRYINDEX, job->ref);
  request_finish(job->request);
}

/* ---- Jobs ---- */

/* (worker, job): a coroutine with the handler and the request on its stack. It inherits
 * the request, which is current here: so what it leaves behind ends with it. */
static int make_coroutine(lua_State *L) {
  struct worker *worker = lua_touserdata(L, 1);
  struct job *job = lua_touserdata(L, 2);
  size_t route = job->request->route;
  bool guarded = worker->guard != LUA_NOREF;
  lua_globals_push(L, &worker->globals[route]);
  job->globals = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_rawgeti(L, LUA_REGISTRYINDEX, worker->create);
  lua_rawgeti(L, LUA_REGISTRYINDEX, guarded ? worker->guard : worker->handlers[route]);
  lua_call(L, 1, 1);
  job->co = lua_tothread(L, -1);
  if (guarded) lua_rawgeti(L, LUA_REGISTRYINDEX, worker->handlers[route]);
  lua_request_push(L, job->request);
  job->nargs = guarded ? 2 : 1;
  lua_xmove(L, job->co, job->nargs);
  job->ref = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

static void start_job(struct worker *worker, struct request *request) {
  struct job *job = &worker->jobs[worker->n];
  *job = (struct job){.request = request, .ref = LUA_NOREF, .globals = LUA_NOREF};
  int status = cctx_err(request->ctx);
  if (status == 0 && call_protected(worker, job, make_coroutine)) {
    worker->n++;
    return;
  }
  if (status != 0)
    request_answer_stopped(request, status);
  else
    request_answer_text(request, 500, "out of memory\n");
  luaL_unref(worker->L, LUA_REGISTRYINDEX, job->globals);
  request_finish(request);
}

/* Let a job run until it yields: false when it has ended. */
static bool step_job(struct worker *worker, struct job *job) {
  int n = 0, status = cctx_err(job->request->ctx);
  use_globals(worker, job, true);
  if (status != 0) {
    request_answer_stopped(job->request, status);
    end_job(worker, job, NULL);
    return false;
  }
  status = worker->api->resume(job->co, worker->L, job->nargs, &n);
  if (status == LUA_YIELD) {
    lua_pop(job->co, n);
    job->nargs = 0;
    job->fetches = fetch_lua_waits(job->co);
    use_globals(worker, job, false);
    return true;
  }
  end_job(worker, job, status == LUA_OK ? take_results : take_error);
  return false;
}

/* One turn for each job, oldest first. */
static void step_all(struct worker *worker) {
  size_t left = 0;
  for (size_t i = 0; i < worker->n; i++) {
    struct job job = worker->jobs[i];
    if (step_job(worker, &job)) worker->jobs[left++] = job;
  }
  worker->n = left;
}

/* How long nothing can happen unless something comes. */
static int64_t pause_of(const struct worker *worker) {
  if (worker->n == 0) return CCTX_NEVER;
  for (size_t i = 0; i < worker->n; i++)
    if (!worker->jobs[i].fetches) return PAUSE;
  return LONG_PAUSE;
}

static void serve(struct worker *worker) {
  struct queue *queue = &worker->server->lua;
  uint64_t seen = 0;
  while (worker->n > 0 || !queue_is_closed(queue)) {
    int64_t timeout = pause_of(worker);
    struct request *request;
    while (worker->n < JOBS_MAX && (request = queue_take(queue, timeout, &seen))) {
      start_job(worker, request);
      timeout = 0;
    }
    step_all(worker);
  }
}

static void work(struct crew *crew, void *arg) {
  struct worker *worker = calloc(1, sizeof *worker);
  char why[512] = "out of memory";
  if (worker) worker->server = arg;
  if (worker && open_worker(worker, why, sizeof why)) {
    crew_ready(crew);
    serve(worker);
  } else {
    crew_fail(crew, why);
  }
  if (worker) close_worker(worker);
  free(worker);
}

bool lua_workers_start(struct server *server, struct crew *crew) {
  return crew_start(crew, server->workers, work, server);
}
