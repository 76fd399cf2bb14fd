/* SPDX-License-Identifier: Apache-2.0 */
/* Why a context is done: as a table to look at, as an error to raise. */
#include "lcctx.h"

#define LCCTX_ERROR "cctx.Error"

/* A table of the cause. The context it belongs to is held. */
static void push_cause(lua_State *L, const struct cctx_cause *why, const char *status,
                       const char *message) {
  lua_createtable(L, 0, 5);
  lua_pushstring(L, cctx_status_word(why->status));
  lua_setfield(L, -2, status);
  lua_pushstring(L, message);
  lua_setfield(L, -2, "message");
  lua_pushstring(L, why->file);
  lua_setfield(L, -2, "file");
  lua_pushinteger(L, why->line);
  lua_setfield(L, -2, "line");
  lcctx_push_seconds(L, why->time);
  lua_setfield(L, -2, "time");
}

static int cause(lua_State *L, int self) {
  struct cctx_cause why;
  if (cctx_cause(lcctx_hold(L, self), &why) == 0)
    lua_pushnil(L);
  else
    push_cause(L, &why, "status", why.message);
  return 1;
}
LCCTX_READER(cause)

int lcctx_raise(lua_State *L, const cctx *ctx) {
  struct cctx_cause why;
  cctx_cause(ctx, &why);
  push_cause(L, &why, "code", *why.message ? why.message : cctx_status_message(why.status));
  luaL_setmetatable(L, LCCTX_ERROR);
  return lua_error(L);
}

/* Nothing while the subject may go on, else raise why not. */
static int check(lua_State *L, int self) {
  if (cctx_err(lcctx_subject(L, self)) != 0) return lcctx_raise(L, lcctx_hold(L, self));
  if (self)
    lua_settop(L, 1);
  else
    lua_pushboolean(L, 1);
  return 1;
}
LCCTX_READER(check)

/* The object is a table that its catcher may have changed. */
static const char *field(lua_State *L, const char *name) {
  if (lua_getfield(L, 1, name) == LUA_TSTRING || lua_isinteger(L, -1))
    return lua_tostring(L, -1);
  return "";
}

static int describe(lua_State *L) {
  const char *code, *message, *file, *line;
  luaL_checktype(L, 1, LUA_TTABLE);
  code = field(L, "code");
  message = field(L, "message");
  file = field(L, "file");
  line = field(L, "line");
  if (*file != '\0')
    lua_pushfstring(L, "%s: %s (%s:%s)", code, message, file, line);
  else
    lua_pushfstring(L, "%s: %s", code, message);
  return 1;
}

void lcctx_cause_init(lua_State *L) {
  luaL_newmetatable(L, LCCTX_ERROR);
  lua_pushcfunction(L, describe);
  lua_setfield(L, -2, "__tostring");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
}

const luaL_Reg lcctx_cause_methods[] = {
    {"cause", cause_of}, {"check", check_of}, {NULL, NULL}};
const luaL_Reg lcctx_cause_functions[] = {
    {"cause", cause_now}, {"check", check_now}, {NULL, NULL}};
