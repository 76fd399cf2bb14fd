/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of this module that may yield, and go on afterwards.
 *
 * From Lua 5.3 on a C function says how it goes on after what it called: lua_pcallk. Before,
 * a C function cannot go on, but a Lua function can. So there what scripts call is a few lines of
 * Lua around the C function, which does not call by itself: it returns how to go on, as a
 * function and its arguments, and the lines call that.
 *
 *     caller      return how(...)                        -- of what the C function returned
 *     protected   return after(id, a, b, c, d, call(...))     -- one `how`
 *
 * `call` is pcall, `after` is the C function that finishes with what pcall returned, and a to d
 * are the values that it keeps. Between the two nothing raises but for lack of memory, and a
 * hook of somebody else; then what has begun ends with the call of the host, or the coroutine.
 *
 * In Lua 5.1 also pcall cannot let a function yield. There only what is the whole body of a
 * coroutine may: it needs no protection, since an error is the end of the coroutine.
 */
#include "lcctx.h"

/* Registry: a table of what the lines have made; and the C functions that finish, each at the
 * address of its struct lcctx_call. */
static const char lines_key;

enum { PASS = 1, PLAIN, PCALL, BODY, CALLER, PROTECTED, LINES = PROTECTED };

/* How many values `after` keeps. */
#define KEEP_MAX 4

static const char lines[] =
    "local pcall = ...\n"
    "local function pass(...) return ... end\n"
    "local function plain(f, ...) return true, f(...) end\n"
    "local function body(f) return function(...) return f(...) end end\n"
    "local function go(how, ...) return how(...) end\n"
    "local function caller(begin) return function(...) return go(begin(...)) end end\n"
    "local function protected(after)\n"
    "  return function(call, id, a, b, c, d, ...)\n"
    "    return after(id, a, b, c, d, call(...))\n"
    "  end\n"
    "end\n"
    "return pass, plain, pcall, body, caller, protected\n";

void lcctx_call_init(lua_State *L) {
  int top = lua_gettop(L);
  if (LCCTX_CONTINUES) return;
  if (luaL_loadbuffer(L, lines, sizeof lines - 1, LCCTX_LINES) != LUA_OK) lua_error(L);
  lua_getglobal(L, "pcall");
  if (!lua_isfunction(L, -1))
    luaL_error(L, "cctx needs the function pcall when it is loaded");
  lua_call(L, 1, LINES);
  lua_createtable(L, LINES, 0);
  lua_insert(L, top + 1);
  for (int i = LINES; i > 0; i--) lua_rawseti(L, top + 1, i);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &lines_key);
}

static void push_line(lua_State *L, int line) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &lines_key);
  lua_rawgeti(L, -1, line);
  lua_remove(L, -2);
}

void lcctx_push_caller(lua_State *L) {
  if (LCCTX_CONTINUES) return;
  push_line(L, CALLER);
  lua_insert(L, -2);
  lua_call(L, 1, 1);
}

void lcctx_push_body(lua_State *L) {
  if (LCCTX_C_BODIES || !lua_iscfunction(L, -1)) return;
  push_line(L, BODY);
  lua_insert(L, -2);
  lua_call(L, 1, 1);
}

/* (id, a, b, c, d, whether it went well, results or error). Stack then: the values that are kept,
 * and what follows them. */
static int after(lua_State *L) {
  const struct lcctx_call *call = lua_touserdata(L, lua_upvalueindex(1));
  lua_KContext id = (lua_KContext)lua_tonumber(L, 1);
  int status = lua_toboolean(L, KEEP_MAX + 2) ? LUA_OK : LUA_ERRRUN;
  for (int i = KEEP_MAX + 2; i > call->keep + 1; i--) lua_remove(L, i);
  lua_remove(L, 1);
  return call->finish(L, status, id);
}

void lcctx_call_prepare(lua_State *L, const struct lcctx_call *call) {
  if (LCCTX_CONTINUES) return;
  push_line(L, PROTECTED);
  lua_pushlightuserdata(L, (void *)call);
  lua_pushcclosure(L, after, 1);
  lua_call(L, 1, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, call);
}

void lcctx_set_callers(lua_State *L, const luaL_Reg *list) {
  for (; list->name != NULL; list++) {
    lua_pushcfunction(L, list->func);
    lcctx_push_caller(L);
    lua_setfield(L, -2, list->name);
  }
}

/* ---- How to go on ---- */

int lcctx_results(lua_State *L, int n) {
  if (LCCTX_CONTINUES) return n;
  if (!lua_checkstack(L, 3)) return lcctx_no_memory(L);
  push_line(L, PASS);
  lua_insert(L, -n - 1);
  return n + 1;
}

static int go_on(lua_State *L, int status, lua_KContext unused) {
  (void)status;
  (void)unused;
  return lua_gettop(L);
}

int lcctx_tail_call(lua_State *L) {
  if (!LCCTX_CONTINUES) return lua_gettop(L);
  lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, go_on);
  return lua_gettop(L);
}

/* Level 0 is the C function, 1 the lines around it. */
static bool is_whole_body(lua_State *L) {
  lua_Debug frame;
  return !lua_getstack(L, 2, &frame);
}

/* The line that lets what is called yield; 0 if it could not yield anyway. */
static int find_line(lua_State *L, const struct lcctx_call *call) {
  if (LCCTX_CONTINUES || !lua_isyieldable(L)) return 0;
  if (LCCTX_PCALL_YIELDS) return PCALL;
  return call->may_die && is_whole_body(L) ? PLAIN : 0;
}

int lcctx_pcall(lua_State *L, const struct lcctx_call *call, lua_KContext id) {
  int line = find_line(L, call), nargs = lua_gettop(L) - call->keep - 1;
  if (line == 0) {
    int status = lua_pcallk(L, nargs, LUA_MULTRET, 0, id, call->finish);
    return lcctx_results(L, call->finish(L, status, id));
  }
  for (int i = call->keep; i < KEEP_MAX; i++) {
    lua_pushnil(L);
    lua_insert(L, i + 1);
  }
  lua_pushnumber(L, (lua_Number)id);
  lua_insert(L, 1);
  push_line(L, line);
  lua_insert(L, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, call);
  lua_insert(L, 1);
  return lua_gettop(L);
}
