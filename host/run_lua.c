/* SPDX-License-Identifier: Apache-2.0 */
/* A run of a Lua script, which the alarm stops wherever it runs.
 *
 * The alarm's handler may do one thing to a Lua state: set a hook on the coroutine that
 * runs on this thread. The hook raises. A script that catches the error is given until the
 * next alarm, 100 ms, to end; from then on the hook stays, and each line raises again.
 */
#define _GNU_SOURCE 1
#include "run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alarm.h"
#include "lua_state.h"
#include "options.h"

enum { EVERY_EVENT = LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT };

/* One script runs in a process: what the handler and the hook need, who get no argument. */
static const struct run *the_run;
static const struct cctx_lua_api *lua;
static volatile sig_atomic_t alarms;

/* Raises what ctx:check() raises. */
static void stop(lua_State *L, lua_Debug *where) {
  (void)where;
  if (alarms < 2) lua_sethook(L, NULL, 0, 0);
  lua->push(L, the_run->ctx);
  lua_getfield(L, -1, "check");
  lua_insert(L, -2);
  lua_call(L, 1, 0);
}

static void handle_alarm(int number) {
  lua_State *L = lua_state_running();
  (void)number;
  if (alarms < 2) alarms++;
  if (L) lua_sethook(L, stop, EVERY_EVENT, 1);
}

/* Without SA_RESTART: a system call that waits comes back with EINTR. */
static bool watch_deadline(const struct run *run) {
  struct sigaction action = {.sa_handler = handle_alarm};
  if (sigaction(alarm_signal(), &action, NULL) == 0) return run_arm(run);
  complain("run", "this system gave no signal for the deadline: %s.", strerror(errno));
  return false;
}

static int push_arguments(lua_State *L) {
  int n = the_run->argc - 1;
  lua_createtable(L, n, 1);
  for (int i = 0; i <= n; i++) {
    lua_pushstring(L, the_run->argv[i]);
    lua_rawseti(L, -2, i);
  }
  lua_setglobal(L, "arg");
  luaL_checkstack(L, n, "too many arguments for the script");
  for (int i = 1; i <= n; i++) lua_pushstring(L, the_run->argv[i]);
  return n;
}

/* What is called under the context: load the file, run it. */
static int run_file(lua_State *L) {
  if (luaL_loadfile(L, the_run->argv[0]) != LUA_OK) return lua_error(L);
  lua_call(L, push_arguments(L), 0);
  return 0;
}

/* The message handler: a traceback under what was raised, but nil for the end that the
 * deadline of the run has brought. */
static int explain(lua_State *L) {
  bool is_end =
      lua_state_code(L, 1) == CCTX_EDEADLINE && cctx_err(the_run->ctx) == CCTX_EDEADLINE;
  if (is_end)
    lua_pushnil(L);
  else
    luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
  return 1;
}

static int call_script(lua_State *L) {
  lua_pushcfunction(L, explain);
  lua_pushcfunction(L, run_file);
  lua_state_enter(L);
  int status = lua->pcall(L, the_run->ctx, 0, 0, 1);
  lua_state_enter(NULL);
  lua_sethook(L, NULL, 0, 0);
  return status;
}

/* What `explain` made of the error is on top. */
static void tell_error(lua_State *L) {
  const char *text = lua_tostring(L, -1);
  if (text)
    fprintf(stderr, "cctx run: %s\n", text);
  else
    run_tell_deadline(the_run);
}

int run_lua(const struct run *run) {
  struct lua_setup setup = {.paths = NULL};
  char why[512];
  lua_State *L = lua_state_open(&setup, why, sizeof why);
  if (!L) return complain("run", "Lua cannot be started with the module cctx: %s.", why);
  the_run = run;
  lua = setup.api;
  if (!watch_deadline(run)) return STATUS_BAD_INPUT;
  int status = call_script(L);
  alarm_stop();
  if (status != LUA_OK) tell_error(L);
  lua_close(L);
  return status == LUA_OK ? 0 : STATUS_FAILED;
}
