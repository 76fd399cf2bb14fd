/* SPDX-License-Identifier: Apache-2.0 */
/* The Lua module `audit`: libaudit for scripts.
 *
 *     local audit = require "audit"
 *     audit.write "order placed"
 *
 * An ordinary C module: not one line of it knows of contexts.
 */
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "audit.h"

/* true, or nil and why. */
static int push_result(lua_State *L, int code) {
  if (code == 0) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, strerror(code));
  lua_pushinteger(L, code);
  return 3;
}

static int open_log(lua_State *L) {
  return push_result(L, audit_open(luaL_optstring(L, 1, NULL)));
}

static int line(lua_State *L) {
  char text[AUDIT_LINE_MAX];
  audit_line(text, luaL_checkstring(L, 1));
  lua_pushstring(L, text);
  return 1;
}

static int write_line(lua_State *L) {
  return push_result(L, audit_write(luaL_checkstring(L, 1)));
}

CCTX_API int luaopen_audit(lua_State *L);
CCTX_API int luaopen_audit(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"open", open_log}, {"line", line}, {"write", write_line}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
