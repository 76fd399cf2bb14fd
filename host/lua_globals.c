/* SPDX-License-Identifier: Apache-2.0 */
/* The globals of a handler's file: what one request sets is not there for the next. */
#include "lua_globals.h"

#include <lauxlib.h>

static void get(lua_State *L, int ref) { lua_rawgeti(L, LUA_REGISTRYINDEX, ref); }

/* Pop a table: a reference to it. */
static int keep(lua_State *L) { return luaL_ref(L, LUA_REGISTRYINDEX); }

/* The table on top is the __index of a new table, which is pushed. */
static void push_behind(lua_State *L) {
  lua_createtable(L, 0, 1);
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, "__index");
}

/* Push the table that the functions of the file have. */
static void push_proxy(lua_State *L, struct lua_globals *globals) {
  lua_createtable(L, 0, 0);
  lua_createtable(L, 0, 3);
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pushvalue(L, -1);
  globals->proxy = keep(L);
  lua_setmetatable(L, -2);
}

/* The file's own table: behind it is the state's, and its _G is the proxy below it. */
static void make_file(lua_State *L, struct lua_globals *globals) {
  lua_createtable(L, 0, 8);
  lua_pushglobaltable(L);
  push_behind(L);
  lua_setmetatable(L, -3);
  lua_pop(L, 1);
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, "_G");
  push_behind(L);
  globals->behind = keep(L);
  globals->file = keep(L);
}

void lua_globals_load(lua_State *L, struct lua_globals *globals, const char *file) {
  if (luaL_loadfile(L, file) != LUA_OK) lua_error(L);
  push_proxy(L, globals);
  make_file(L, globals);
  lua_globals_use(L, globals, LUA_NOREF);
  if (!lua_setupvalue(L, -2, 1)) lua_pop(L, 1); /* a file that has no globals at all */
  lua_call(L, 0, 1);
}

void lua_globals_push(lua_State *L, const struct lua_globals *globals) {
  lua_createtable(L, 0, 0);
  get(L, globals->behind);
  lua_setmetatable(L, -2);
}

void lua_globals_use(lua_State *L, const struct lua_globals *globals, int ref) {
  get(L, globals->proxy);
  for (int i = 0; i < 2; i++) {
    get(L, ref == LUA_NOREF ? globals->file : ref);
    lua_setfield(L, -2, i == 0 ? "__index" : "__newindex");
  }
  lua_pop(L, 1);
}
