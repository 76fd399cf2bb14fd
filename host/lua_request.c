/* SPDX-License-Identifier: Apache-2.0 */
/* A request as a Lua handler sees it, and its results as an answer. */
#include "lua_request.h"

#include <stdbool.h>
#include <string.h>

void lua_request_push_headers(lua_State *L, const struct headers *headers) {
  lua_createtable(L, 0, (int)headers->n);
  for (size_t i = 0; i < headers->n; i++) {
    lua_pushstring(L, headers->at[i].value);
    lua_setfield(L, -2, headers->at[i].name);
  }
}

void lua_request_push(lua_State *L, const struct request *request) {
  lua_createtable(L, 0, 5);
  lua_pushstring(L, request->method);
  lua_setfield(L, -2, "method");
  lua_pushstring(L, request->path);
  lua_setfield(L, -2, "path");
  lua_pushstring(L, request->query);
  lua_setfield(L, -2, "query");
  lua_pushlstring(L, request->body ? request->body : "", request->len);
  lua_setfield(L, -2, "body");
  lua_request_push_headers(L, &request->headers);
  lua_setfield(L, -2, "headers");
}

/* The status at the front of the stack, which is taken off; 200 if there is none. */
static unsigned take_status(lua_State *L) {
  if (lua_type(L, 1) != LUA_TNUMBER) return 200;
  lua_Integer status = lua_tointeger(L, 1);
  if (!lua_isinteger(L, 1) || status < 200 || status > 599)
    luaL_error(L, "the handler returned a status that is no integer from 200 to 599");
  lua_remove(L, 1);
  return (unsigned)status;
}

static bool has_zero(lua_State *L, int index) {
  size_t len;
  const char *text = lua_tolstring(L, index, &len);
  return strlen(text) != len;
}

/* All of them are looked at before any is set. */
static void check_headers(lua_State *L) {
  for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING || !lua_isstring(L, -1))
      luaL_error(L, "the handler returned a header that is not a string under a string");
    if (has_zero(L, -2) || has_zero(L, -1))
      luaL_error(L, "the handler returned a header with a zero byte in it");
  }
}

static void set_headers(lua_State *L, struct request *request) {
  for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1))
    request_answer_header(request, lua_tostring(L, -2), lua_tostring(L, -1));
}

void lua_request_answer(lua_State *L, struct request *request) {
  unsigned status = take_status(L);
  size_t len = 0;
  luaL_checkstack(L, 4, NULL);
  if (!lua_isstring(L, 1))
    luaL_error(L, "the handler returned a %s where the body, a string, should be",
               luaL_typename(L, 1));
  bool has_headers = !lua_isnoneornil(L, 2);
  if (has_headers && !lua_istable(L, 2))
    luaL_error(L, "the handler returned a %s where a table of headers should be",
               luaL_typename(L, 2));
  if (has_headers) check_headers(L);
  const char *body = lua_tolstring(L, 1, &len);
  request_answer(request, status, body, len);
  if (has_headers) set_headers(L, request);
}
