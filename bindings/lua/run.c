/* SPDX-License-Identifier: Apache-2.0 */
/* A run: a function that is called under a context, and may yield. */
#include "lcctx.h"

/* Stack: context, then the results or the error. */
static int finish(lua_State *L, int status, lua_KContext id) {
  if (lcctx_end(L, id) == CCTX_ENOMEM) return lcctx_no_memory(L);
  if (status != LUA_OK && status != LUA_YIELD) return lua_error(L);
  return lua_gettop(L) - 1;
}

void lcctx_check_callable(lua_State *L, int arg) {
  if (lua_isfunction(L, arg)) return;
  if (luaL_getmetafield(L, arg, "__call") == LUA_TNIL) luaL_typeerror(L, arg, "function");
  lua_pop(L, 1);
}

static const struct lcctx_call a_run = {.finish = finish, .keep = 1, .may_die = true};

static int run_for(lua_State *L, enum cctx_lifetime lifetime) {
  return lcctx_pcall(L, &a_run, lcctx_begin(L, 1, lifetime));
}

/* ctx:run(f, ...) */
static int run(lua_State *L) {
  lcctx_check(L, 1);
  lcctx_check_callable(L, 2);
  return run_for(L, CCTX_LIFETIME_AUTO);
}

static int run_bound(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_insert(L, 2);
  return run_for(L, CCTX_HANDED_OVER);
}

/* The reference is the bound function's own: closing `ctx` does not take it away. */
static int bind(lua_State *L) {
  lcctx_check_callable(L, 1);
  lcctx_hold(L, lua_isnoneornil(L, 2) ? 0 : 2);
  lua_pushvalue(L, 1);
  lua_pushcclosure(L, run_bound, 2);
  lcctx_push_caller(L);
  return 1;
}

void lcctx_run_init(lua_State *L) { lcctx_call_prepare(L, &a_run); }

const luaL_Reg lcctx_run_methods[] = {{"run", run}, {NULL, NULL}};
const luaL_Reg lcctx_run_functions[] = {{"bind", bind}, {NULL, NULL}};
