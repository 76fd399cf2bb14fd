/* SPDX-License-Identifier: Apache-2.0 */
/* A context as something that event loops written for Lua can wait for.
 *
 * cqueues asks for pollfd, events and timeout, LuaSocket's select for getfd and dirty. They
 * ask from their own coroutine, so each answers for its object alone, never for the current
 * context. A descriptor is made when first asked for, and becomes readable for ever.
 */
#include "lcctx.h"

/* ctx:pollfd() -> a descriptor; nil if the context is never done */
static int pollfd(lua_State *L) {
  cctx *ctx = lcctx_check(L, 1);
  int fd = cctx_can_be_done(ctx) ? cctx_done_fd(ctx) : -1;
  if (fd >= 0)
    lua_pushinteger(L, fd);
  else
    luaL_pushfail(L);
  return 1;
}

/* ctx:events() */
static int events(lua_State *L) {
  lcctx_check(L, 1);
  lua_pushliteral(L, "r");
  return 1;
}

/* ctx:timeout() -> seconds until it is done by itself; nil if it never is */
static int timeout(lua_State *L) {
  const cctx *ctx = lcctx_check(L, 1);
  int64_t left = cctx_err(ctx) == CCTX_OK ? cctx_remaining(ctx) : 0;
  if (left == CCTX_NEVER)
    lua_pushnil(L);
  else
    lcctx_push_seconds(L, left);
  return 1;
}

/* ctx:getfd() -> a descriptor; -1 if the context is never done */
static int getfd(lua_State *L) {
  cctx *ctx = lcctx_check(L, 1);
  int fd = cctx_can_be_done(ctx) ? cctx_done_fd(ctx) : -1;
  lua_pushinteger(L, fd >= 0 ? fd : -1);
  return 1;
}

/* ctx:dirty() -> whether there is no need to wait */
static int dirty(lua_State *L) {
  lua_pushboolean(L, cctx_err(lcctx_check(L, 1)) != CCTX_OK);
  return 1;
}

const luaL_Reg lcctx_pollable_methods[] = {
    {"pollfd", pollfd}, {"events", events}, {"timeout", timeout},
    {"getfd", getfd},   {"dirty", dirty},   {NULL, NULL},
};
