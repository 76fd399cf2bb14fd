/* SPDX-License-Identifier: Apache-2.0 */
/* Seconds and script lines: how Lua tells when and where. */
#include "lcctx.h"

#include <math.h>
#include <string.h>

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

static int64_t from_top(lua_State *L, int index) {
  return lua_isinteger(L, index) ? from_integer(lua_tointeger(L, index))
                                 : from_number(lua_tonumber(L, index));
}

int64_t lcctx_check_seconds(lua_State *L, int arg) {
  luaL_checktype(L, arg, LUA_TNUMBER);
  if (isnan(lua_tonumber(L, arg)))
    luaL_argerror(L, arg, "seconds expected, got NaN, which is before and after no time");
  return from_top(L, arg);
}

int64_t lcctx_opt_until(lua_State *L, int arg) {
  if (lua_isnoneornil(L, arg)) return CCTX_NEVER;
  return cctx_deadline_after(lcctx_check_seconds(L, arg));
}

bool lcctx_field_seconds(lua_State *L, int index, const char *name, int64_t *out) {
  int type = lua_getfield(L, index, name);
  if (type != LUA_TNIL && type != LUA_TNUMBER)
    luaL_error(L, "option '%s' must be seconds, not a %s", name, luaL_typename(L, -1));
  if (type == LUA_TNUMBER && isnan(lua_tonumber(L, -1)))
    luaL_error(L, "option '%s' is NaN, which is before and after no time", name);
  if (type == LUA_TNUMBER) *out = from_top(L, -1);
  lua_pop(L, 1);
  return type == LUA_TNUMBER;
}

void lcctx_push_seconds(lua_State *L, int64_t ns) {
  lua_pushnumber(L, (lua_Number)ns / NS);
}

bool lcctx_is_own_line(const lua_Debug *frame) {
  return !LCCTX_CONTINUES && strcmp(frame->source, LCCTX_LINES) == 0;
}

/* Level 1 is who called, which may be C code such as pcall: then who called that. */
void lcctx_find_place(lua_State *L, struct lcctx_place *out) {
  out->file = "";
  out->line = 0;
  for (int level = 1; lua_getstack(L, level, &out->debug); level++) {
    lua_getinfo(L, "Sl", &out->debug);
    if (out->debug.currentline <= 0 || lcctx_is_own_line(&out->debug)) continue;
    out->line = out->debug.currentline;
    out->file = *out->debug.source == '@' ? out->debug.source + 1 : out->debug.short_src;
    return;
  }
}

static int now(lua_State *L) {
  lcctx_push_seconds(L, cctx_now());
  return 1;
}

const luaL_Reg lcctx_clock_functions[] = {{"now", now}, {NULL, NULL}};
