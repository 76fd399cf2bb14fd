/* SPDX-License-Identifier: Apache-2.0 */
/* Seconds and script lines: how Lua tells when and where. */
#include "lcctx.h"

#include <math.h>

#define NS 1e9
#define SECONDS_MAX (CCTX_NEVER / CCTX_SECOND)

static int64_t from_integer(lua_Integer s) {
  if (s > SECONDS_MAX) return CCTX_NEVER;
  if (s < -SECONDS_MAX) return -CCTX_NEVER;
  return s * CCTX_SECOND;
}

/* Whole seconds apart from the rest: a product of the sum would round twice. */
static int64_t from_number(lua_Number s) {
  lua_Number whole = floor(s);
  if (s >= (lua_Number)SECONDS_MAX) return CCTX_NEVER;
  if (s <= -(lua_Number)SECONDS_MAX) return -CCTX_NEVER;
  return (int64_t)whole * CCTX_SECOND + (int64_t)llround((s - whole) * NS);
}

int64_t lcctx_check_seconds(lua_State *L, int arg) {
  luaL_checktype(L, arg, LUA_TNUMBER);
  if (lua_isinteger(L, arg)) return from_integer(lua_tointeger(L, arg));
  if (isnan(lua_tonumber(L, arg)))
    luaL_argerror(L, arg, "seconds expected, got NaN, which is before and after no time");
  return from_number(lua_tonumber(L, arg));
}

void lcctx_push_seconds(lua_State *L, int64_t ns) {
  lua_pushnumber(L, (lua_Number)ns / NS);
}

/* Level 1 is who called, which may be C code such as pcall: then who called that. */
void lcctx_find_place(lua_State *L, struct lcctx_place *out) {
  out->file = "";
  out->line = 0;
  for (int level = 1; lua_getstack(L, level, &out->debug); level++) {
    lua_getinfo(L, "Sl", &out->debug);
    if (out->debug.currentline <= 0) continue;
    out->line = out->debug.currentline;
    out->file = *out->debug.source == '@' ? out->debug.source + 1 : out->debug.short_src;
    return;
  }
}

static int now(lua_State *L) {
  lcctx_push_seconds(L, cctx_now());
  return 1;
}

/* cctx.testing.clock_set(seconds), or nil to let time pass again */
static int clock_set(lua_State *L) {
  cctx_clock_set(lua_isnoneornil(L, 1) ? CCTX_CLOCK_REAL : lcctx_check_seconds(L, 1));
  return 0;
}

const luaL_Reg lcctx_clock_functions[] = {{"now", now}, {NULL, NULL}};
/* cctx.testing.stale_detaches(): brackets that did not match; this module makes none */
static int stale_detaches(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)cctx_stale_detaches());
  return 1;
}

const luaL_Reg lcctx_testing_functions[] = {
    {"clock_set", clock_set},
    {"stale_detaches", stale_detaches},
    {NULL, NULL},
};
