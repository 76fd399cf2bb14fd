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

static int run_for(lua_State *L, enum cctx_lifetime lifetime) {
  lua_KContext id = lcctx_begin(L, 1, lifetime);
  return finish(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, id, finish), id);
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
  return 1;
}

const luaL_Reg lcctx_run_methods[] = {{"run", run}, {NULL, NULL}};
const luaL_Reg lcctx_run_functions[] = {{"bind", bind}, {NULL, NULL}};
