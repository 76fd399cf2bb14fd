/* SPDX-License-Identifier: Apache-2.0 */
/* Deriving contexts that stop, and stopping them. */
#include "lcctx.h"

#include <string.h>

/* ctx:with_cancel() */
static int with_cancel(lua_State *L) {
  cctx **box;
  lcctx_check(L, 1);
  box = lcctx_new(L);
  return lcctx_give(L, box, cctx_with_cancel(lcctx_parent(L, 1)));
}

static int derive_until(lua_State *L, int64_t deadline) {
  const char *message = lua_isnoneornil(L, 3) ? NULL : lcctx_check_text(L, 3, NULL);
  struct lcctx_place place;
  cctx **box = lcctx_new(L);
  lcctx_find_place(L, &place);
  return lcctx_give(
      L, box,
      cctx_with_deadline_at(lcctx_parent(L, 1), deadline, message, place.file, place.line));
}

/* ctx:with_deadline(seconds of cctx.now() [, message]) */
static int with_deadline(lua_State *L) {
  lcctx_check(L, 1);
  return derive_until(L, lcctx_check_seconds(L, 2));
}

/* ctx:with_timeout(seconds from now [, message]) */
static int with_timeout(lua_State *L) {
  lcctx_check(L, 1);
  return derive_until(L, cctx_deadline_after(lcctx_check_seconds(L, 2)));
}

/* ctx:with_grace(seconds after this one is done) */
static int with_grace(lua_State *L) {
  int64_t grace;
  cctx **box;
  lcctx_check(L, 1);
  grace = lcctx_check_seconds(L, 2);
  box = lcctx_new(L);
  return lcctx_give(L, box, cctx_with_grace(lcctx_parent(L, 1), grace));
}

/* ctx:merge(other, ...) */
static int merge(lua_State *L) {
  enum { MAX = 64 };
  cctx *parents[MAX], **box;
  int n = lua_gettop(L);
  luaL_argcheck(L, n <= MAX, MAX, "more contexts than merge takes at once");
  for (int i = 0; i < n; i++) lcctx_check(L, i + 1);
  box = lcctx_new(L);
  for (int i = 0; i < n; i++) parents[i] = lcctx_parent(L, i + 1);
  return lcctx_give(L, box, cctx_merge(parents, (size_t)n));
}

/* ctx:detached([{keep_deadline = true}]) */
static int detached(lua_State *L) {
  unsigned flags = 0;
  cctx **box;
  lcctx_check(L, 1);
  if (!lua_isnoneornil(L, 2)) {
    luaL_checktype(L, 2, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
      const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
      if (name == NULL || strcmp(name, "keep_deadline") != 0)
        return luaL_argerror(L, 2, "the only option is keep_deadline = true");
      if (lua_toboolean(L, -1)) flags |= CCTX_KEEP_DEADLINE;
    }
  }
  box = lcctx_new(L);
  return lcctx_give(L, box, cctx_detached(lcctx_check(L, 1), flags));
}

/* ctx:cancel([message]) -> whether this was the first */
static int cancel(lua_State *L) {
  cctx *ctx = lcctx_check(L, 1);
  const char *message = lua_isnoneornil(L, 2) ? NULL : lcctx_check_text(L, 2, NULL);
  struct lcctx_place place;
  int status;
  lcctx_find_place(L, &place);
  status = cctx_cancel_at(ctx, message, place.file, place.line);
  if (status == CCTX_EINVAL)
    return luaL_error(
        L, "this context cannot be canceled: only what with_cancel, with_timeout, "
           "with_deadline, with_grace or merge made can");
  lua_pushboolean(L, status == 1);
  return 1;
}

const luaL_Reg lcctx_derive_methods[] = {
    {"with_cancel", with_cancel},
    {"with_deadline", with_deadline},
    {"with_timeout", with_timeout},
    {"with_grace", with_grace},
    {"merge", merge},
    {"detached", detached},
    {"cancel", cancel},
    {NULL, NULL},
};
