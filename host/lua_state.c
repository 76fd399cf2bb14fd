/* SPDX-License-Identifier: Apache-2.0 */
/* A Lua state as this program makes it: libraries, search paths, the module cctx.
 *
 * Lua does not tell which coroutine runs, and a hook stops only the one it is set on. So
 * this program defines lua_resume itself: the one that an executable exports is the one that
 * liblua and every module call. It notes the coroutine and calls Lua's own.
 */
#define _GNU_SOURCE 1
#include "lua_state.h"

#include <dlfcn.h>
#include <limits.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fetch_lua.h"
#include "home.h"

/* ---- Which coroutine runs ---- */

static _Thread_local lua_State *volatile running;

typedef int resume_function(lua_State *, lua_State *, int, int *);
static resume_function *lua_own_resume;

__attribute__((constructor)) static void find_lua_resume(void) {
  void *symbol = dlsym(RTLD_NEXT, "lua_resume");
  if (!symbol) abort(); /* not linked to a shared liblua */
  memcpy(&lua_own_resume, &symbol, sizeof symbol);
}

/* It returns on a yield and on an error, too: what ran before is always noted again. */
LUA_API int lua_resume(lua_State *L, lua_State *from, int nargs, int *nresults) {
  lua_State *before = running;
  running = L;
  int status = lua_own_resume(L, from, nargs, nresults);
  running = before;
  return status;
}

lua_State *lua_state_running(void) { return running; }

void lua_state_enter(lua_State *L) { running = L; }

/* ---- The state ---- */

/* Put DIR/?.so in front of package.cpath, and DIR/?.lua of package.path. */
static void add_path(lua_State *L, const char *directory) {
  lua_getglobal(L, "package");
  lua_pushfstring(L, "%s/?.so;", directory);
  lua_getfield(L, -2, "cpath");
  lua_concat(L, 2);
  lua_setfield(L, -2, "cpath");
  lua_pushfstring(L, "%s/?.lua;", directory);
  lua_getfield(L, -2, "path");
  lua_concat(L, 2);
  lua_setfield(L, -2, "path");
  lua_pop(L, 1);
}

static int set_up(lua_State *L) {
  struct lua_setup *setup = lua_touserdata(L, 1);
  char home[PATH_MAX];
  luaL_openlibs(L);
  if (find_lua_home(home)) add_path(L, home);
  for (size_t i = setup->paths_n; i-- > 0;) add_path(L, setup->paths[i]);
  setup->api = cctx_lua_open(L);
  fetch_lua_offer(L, setup);
  return 0;
}

/* The first line of the message on top. */
static void copy_message(lua_State *L, char *why, size_t size) {
  const char *message = lua_tostring(L, -1);
  if (!message) message = "an error without a message";
  snprintf(why, size, "%.*s", (int)strcspn(message, "\n"), message);
}

lua_State *lua_state_open(struct lua_setup *setup, char *why, size_t size) {
  lua_State *L = luaL_newstate();
  if (!L) {
    snprintf(why, size, "out of memory");
    return NULL;
  }
  lua_pushcfunction(L, set_up);
  lua_pushlightuserdata(L, setup);
  if (lua_pcall(L, 1, 0, 0) == LUA_OK) return L;
  copy_message(L, why, size);
  lua_close(L);
  return NULL;
}

/* ---- Errors ---- */

int lua_state_code(lua_State *L, int index) {
  int status = 0;
  if (!lua_istable(L, index) || !lua_checkstack(L, 2)) return 0;
  index = lua_absindex(L, index);
  lua_pushliteral(L, "code");
  if (lua_rawget(L, index) == LUA_TSTRING) {
    const char *code = lua_tostring(L, -1);
    if (strcmp(code, cctx_status_word(CCTX_EDEADLINE)) == 0) status = CCTX_EDEADLINE;
    if (strcmp(code, cctx_status_word(CCTX_ECANCELED)) == 0) status = CCTX_ECANCELED;
  }
  lua_pop(L, 1);
  return status;
}
