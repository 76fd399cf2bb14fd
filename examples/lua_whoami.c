/* SPDX-License-Identifier: Apache-2.0 */
/* A C module for Lua that asks for the current context, which nobody passes to it. */
#include <cctx.h>
#include <lauxlib.h>
#include <lua.h>

/* whoami.tenant(): the metadata "tenant" of the request, or nil. */
static int tenant(lua_State *L) {
  size_t len = 0;
  const char *value = cctx_metadata(cctx_current(), "tenant", &len);
  if (value)
    lua_pushlstring(L, value, len);
  else
    lua_pushnil(L);
  return 1;
}

CCTX_API int luaopen_whoami(lua_State *L);
CCTX_API int luaopen_whoami(lua_State *L) {
  static const luaL_Reg functions[] = {{"tenant", tenant}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
