/* SPDX-License-Identifier: Apache-2.0 */
/* `cctx serve`: start, the wait for a signal, and an orderly end. */
#define _GNU_SOURCE 1
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "fetch.h"
#include "listen.h"
#include "log.h"
#include "metrics.h"
#include "serve_options.h"

/* How long a shutdown waits for handlers that were canceled; how soon it sees that it is to
 * hurry, as the handler of a signal can wake no condition. */
#define SHUTDOWN_MAX (5 * CCTX_SECOND)
#define LOOK_EVERY (20 * CCTX_MILLISECOND)

static struct crew lua_crew = CREW_INIT, python_crew = CREW_INIT;
static sem_t asked_to_end;

/* ---- Signals ---- */

static void ask_to_end(int number) {
  (void)number;
  sem_post(&asked_to_end);
}

/* Not blocked in the threads, but handled: what handlers start inherits no blocked ones. */
static void watch_signals(void) {
  struct sigaction end = {.sa_handler = ask_to_end, .sa_flags = SA_RESTART};
  struct sigaction ignore = {.sa_handler = SIG_IGN};
  sem_init(&asked_to_end, 0, 0);
  sigaction(SIGTERM, &end, NULL);
  sigaction(SIGINT, &end, NULL);
  sigaction(SIGPIPE, &ignore, NULL);
}

/* ---- Start ---- */

static bool has_language(const struct server *server, enum language language) {
  for (size_t i = 0; i < server->routes_n; i++)
    if (server->routes[i].language == language) return true;
  return false;
}

static int open_queues(struct server *server) {
  int failed = queue_open(&server->lua, server->queue_max);
  if (!failed) failed = queue_open(&server->python, server->queue_max);
  return failed ? complain("serve", "cannot make a queue: %s.", strerror(failed)) : 0;
}

/* Interpreters and workers: 0, or a complaint. */
static int start_workers(struct server *server) {
  char why[512];
  bool python = has_language(server, LANGUAGE_PYTHON);
  if ((python || server->python_paths.n > 0) && !python_open(server, why, sizeof why))
    return complain("serve", "Python cannot be started: %s.", why);
  if (has_language(server, LANGUAGE_LUA) && !lua_workers_start(server, &lua_crew))
    return complain("serve", "a Lua route cannot be loaded: %s.", lua_crew.why);
  if (python && !python_workers_start(server, &python_crew))
    return complain("serve", "a Python route cannot be loaded: %s.", python_crew.why);
  return 0;
}

/* ---- End ---- */

/* Tell how many contexts are left, and return the exit status for that. */
static int conclude(void) {
  request_close();
  size_t alive = cctx_alive();
  printf("contexts alive: %zu\n", alive);
  fflush(stdout);
  return alive == 0 ? 0 : STATUS_FAILED;
}

/* Let the workers take what is left and end: false if `deadline` passes before. */
static bool end_workers(struct server *server, int64_t deadline) {
  queue_close(&server->lua);
  queue_close(&server->python);
  bool ended = crew_join(&lua_crew, deadline);
  return crew_join(&python_crew, deadline) && ended;
}

/* Let what runs finish, until `grace` has passed or a second signal says not to wait. */
static void wait_in_peace(int64_t grace) {
  int64_t deadline = cctx_deadline_after(grace);
  while (cctx_now() < deadline && sem_trywait(&asked_to_end) != 0) {
    int64_t look = cctx_deadline_after(LOOK_EVERY);
    if (request_wait_idle(look < deadline ? look : deadline)) return;
  }
}

static int shut_down(struct server *server) {
  http_quiesce();
  wait_in_peace(server->grace);
  int64_t deadline = cctx_deadline_after(SHUTDOWN_MAX);
  request_stop_all(CAUSE_SAYS_SHUTDOWN);
  /* A handler that does not end keeps its thread and state: they go with the process. */
  if (!end_workers(server, deadline)) {
    debug_stop(); /* it holds what it looks at */
    _exit(conclude());
  }
  request_wait_idle(deadline); /* for those who do not read their answers: no longer */
  debug_stop();                /* first: it looks at connections, and at values of Python */
  http_stop();
  fetch_close();
  python_close();
  return conclude();
}

/* ---- The command ---- */

static int serve(struct server *server, const char *address, const char *debug) {
  char why[512];
  int fd, debug_fd, status = listen_open("--listen", address, &fd);
  if (status == 0 && debug) status = listen_open("--debug", debug, &debug_fd);
  if (status == 0 && !metrics_open(server)) status = complain("serve", "out of memory.");
  if (status == 0 && !request_open((size_t)server->body_memory << 20))
    status = complain("serve", "out of memory.");
  if (status == 0) status = open_queues(server);
  if (status != 0) return status;
  watch_signals();
  cctx_set_log(log_library, NULL);
  cctx_backup_configure(&server->backup); /* what its parser has read is in bounds */
  status = start_workers(server);
  if (status == 0 && !http_start(server, fd, why, sizeof why))
    status = complain("serve", "cannot start the HTTP server: %s.", why);
  else if (status == 0 && debug && !debug_start(server, debug_fd, why, sizeof why))
    status = complain("serve", "cannot start the debug page: %s.", why);
  if (status != 0) {
    if (!end_workers(server, cctx_deadline_after(SHUTDOWN_MAX))) _exit(status);
    python_close();
    return status;
  }
  listen_tell("listening", fd);
  if (debug) listen_tell("debugging", debug_fd);
  while (sem_wait(&asked_to_end) != 0) continue;
  return shut_down(server);
}

int serve_command(int argc, char **argv) {
  struct serve_options options;
  int status = serve_options_read(&options, argc, argv);
  if (status == 0) status = serve(&options.server, options.listen, options.debug);
  serve_options_free(&options);
  return status;
}
