/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a context whether to stop, and by when. */
#include "lcctx.h"

static int deadline(lua_State *L, int self) {
  int64_t at = cctx_deadline(lcctx_subject(L, self));
  if (at == CCTX_NEVER)
    lua_pushnil(L);
  else
    lcctx_push_seconds(L, at);
  return 1;
}
LCCTX_READER(deadline)

static int remaining(lua_State *L, int self) {
  int64_t left = cctx_remaining(lcctx_subject(L, self));
  if (left == CCTX_NEVER)
    lua_pushnil(L);
  else
    lcctx_push_seconds(L, left);
  return 1;
}
LCCTX_READER(remaining)

static int err(lua_State *L, int self) {
  int status = cctx_err(lcctx_subject(L, self));
  if (status == 0)
    lua_pushnil(L);
  else
    lua_pushstring(L, cctx_status_word(status));
  return 1;
}
LCCTX_READER(err)

static int can_be_done(lua_State *L) {
  lua_pushboolean(L, cctx_can_be_done(lcctx_check(L, 1)));
  return 1;
}

const luaL_Reg lcctx_ask_methods[] = {
    {"deadline", deadline_of},
    {"remaining", remaining_of},
    {"err", err_of},
    {"can_be_done", can_be_done},
    {NULL, NULL},
};
const luaL_Reg lcctx_ask_functions[] = {
    {"deadline", deadline_now},
    {"remaining", remaining_now},
    {"err", err_now},
    {NULL, NULL},
};
