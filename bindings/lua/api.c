/* SPDX-License-Identifier: Apache-2.0 */
/* The table of functions for C hosts: what cctx/lua.h promises. */
#include "lcctx.h"

static int api_pcall(lua_State *L, cctx *ctx, int nargs, int nresults, int msgh) {
  struct lcctx_slot *slot = lcctx_slot_find(L, NULL);
  cctx_token token;
  int status;
  if (lcctx_attach(ctx, L, &token) != CCTX_OK) {
    lua_pop(L, nargs + 1);
    lcctx_push_no_memory(L);
    return LUA_ERRMEM;
  }
  if (slot != NULL) slot->inside++;
  status = lua_pcall(L, nargs, nresults, msgh);
  cctx_detach(&token);
  if (slot != NULL)
    slot->inside--;
  else if ((slot = lcctx_slot_find(L, NULL)) != NULL) /* made meanwhile, by a run */
    slot->inside = lcctx_tag() == L;
  return status;
}

static void api_bind(lua_State *L, lua_State *co, cctx *ctx) {
  struct lcctx_slot *slot;
  bool found;
  if (ctx != NULL) {
    slot = lcctx_slot_need(L, co);
    cctx_unref(lcctx_slot_swap(slot, cctx_ref(ctx)));
    return;
  }
  slot = lcctx_slot_find(co, &found);
  if (!found) lcctx_no_memory(L);
  if (slot != NULL) lcctx_slot_clear(slot);
}

const struct cctx_lua_api lcctx_api = {
    .size = sizeof lcctx_api,
    .pcall = api_pcall,
    .resume = lcctx_resume,
    .bind = api_bind,
    .current = lcctx_current,
    .push = lcctx_push,
    .to = lcctx_to,
    .push_value = lcctx_push_value,
    .to_value = lcctx_to_value,
};
