/* SPDX-License-Identifier: Apache-2.0 */
/* The table of functions for C hosts: what cctx/lua.h promises. */
#include "lcctx.h"

static int no_memory(lua_State *L, int nargs) {
  lua_pop(L, nargs + 1);
  lcctx_push_no_memory(L);
  return LUA_ERRMEM;
}

/* What works for nobody was not inherited from a request either. */
static struct lcctx_hold host_hold(cctx *ctx) {
  return (struct lcctx_hold){ctx, ctx == cctx_background()};
}

/* What scripts attach and set inside is gone afterwards: the next call is another's. */
static int api_pcall(lua_State *L, cctx *ctx, int nargs, int nresults, int msgh) {
  struct lcctx_slot *slot = lcctx_slot_find(L, NULL);
  unsigned fence = slot ? slot->fence : 0;
  struct lcctx_bracket bracket;
  int status, locals = lua_gettop(L) - nargs;
  if (!lua_checkstack(L, 4) || lcctx_enter(&bracket, L, host_hold(ctx)) != CCTX_OK)
    return no_memory(L, nargs);
  if (slot) slot->fence = slot->n;
  if (msgh != 0) msgh = lua_absindex(L, msgh);
  lcctx_locals_push(L);
  lua_insert(L, locals);
  status = lua_pcall(L, nargs, nresults, msgh);
  slot = lcctx_leave(&bracket);
  if (slot) {
    lcctx_slot_cut(slot, bracket.listed ? 0 : slot->fence);
    slot->fence = fence;
  }
  lcctx_locals_restore(L, locals);
  lua_remove(L, locals);
  return status;
}

/* The same, of a function that guards: every, grace, function, arguments. */
static int api_guard(lua_State *L, cctx *ctx, int nargs, int nresults, int msgh, int every,
                     int64_t grace) {
  int function = lua_gettop(L) - nargs;
  if (!lua_checkstack(L, 4)) return no_memory(L, nargs);
  if (msgh != 0) msgh = lua_absindex(L, msgh);
  lcctx_guard_push_call(L);
  lua_pushinteger(L, every);
  lua_pushinteger(L, grace);
  lua_rotate(L, function, 3);
  return api_pcall(L, ctx, nargs + 3, nresults, msgh);
}

static bool has_body(lua_State *co) {
  lua_Debug frame;
  return lua_status(co) == LUA_YIELD || lua_getstack(co, 0, &frame);
}

static void api_bind(lua_State *L, lua_State *co, cctx *ctx) {
  struct lcctx_slot *slot;
  bool found;
  slot = ctx ? lcctx_slot_need(L, co) : lcctx_slot_find(co, &found);
  if (ctx == NULL && !found) lcctx_no_memory(L);
  if (slot == NULL) return;
  if (!has_body(co)) { /* what an earlier one left */
    lcctx_slot_reset(slot);
    lcctx_locals_clear(co);
  }
  lcctx_slot_set(slot, (struct lcctx_hold){ctx ? cctx_ref(ctx) : NULL, true});
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
    .close = lcctx_close,
    .guard = api_guard,
};
