/* SPDX-License-Identifier: Apache-2.0 */
/* The host of the tests: it opens states, makes requests, and runs code under them. */
#ifndef LUA_HOST_H
#define LUA_HOST_H

#define LCCTX_HOST
#include "../../bindings/lua/compat.h"

#include <cctx/lua.h>

#include <unistd.h>

#include "check.h"

#ifndef MODULES /* where the module is in the build tree */
#define MODULES "lua"
#endif

/* The api of the module; the same for every state. */
static const struct cctx_lua_api *lua;

static const char *who_of(const cctx *ctx) {
  cctx_variant value;
  if (cctx_value(ctx, cctx_key_find("who"), &value) != CCTX_OK) return "nobody";
  return value.type == CCTX_STRING ? value.as.s.bytes : "?";
}

/* Whom this thread works for, for C code. */
static const char *who(void) { return who_of(cctx_current()); }

__attribute__((unused)) static cctx *request(const char *name) {
  return cctx_with_value(cctx_background(), cctx_key_named("who"), cctx_text(name));
}

/* For scripts: a C function three layers below. */
static int ask_c(lua_State *L) {
  lua_pushstring(L, who());
  return 1;
}

/* The module of the build tree that this program is in, else of LUA_CPATH. */
static void find_module(lua_State *L) {
  char here[1000];
  ssize_t n = readlink("/proc/self/exe", here, sizeof here - 1);
  here[n > 0 ? n : 0] = '\0';
  for (int up = 0; up < 3 && strrchr(here, '/'); up++) *strrchr(here, '/') = '\0';
  lua_getglobal(L, "package");
  lua_pushfstring(L, "%s/" MODULES "/?.so;", here);
  lua_getfield(L, -2, "cpath");
  lua_concat(L, 2);
  lua_setfield(L, -2, "cpath");
  lua_pop(L, 1);
}

static int set_up(lua_State *L) {
  luaL_openlibs(L);
  find_module(L);
  lua_register(L, "in_c", ask_c);
  return 0;
}

static int load_module(lua_State *L) {
  lua = cctx_lua_open(L);
  return 0;
}

static const char prelude[] =
    "cctx = require 'cctx'\n"
    "function in_lua() return cctx.value 'who' or 'nobody' end\n"
    "function both()\n"
    "  local c, l = in_c(), in_lua()\n"
    "  return c == l and c or 'C:' .. c .. ' Lua:' .. l\n"
    "end\n"
    "function as(who, f, ...)\n"
    "  return cctx.background():with_value('who', who):run(f, ...)\n"
    "end\n";

static bool ended_well(lua_State *L, int status) {
  if (status != LUA_OK) printf("%s\n", lua_tostring(L, -1));
  return CHECK_EQ(status, LUA_OK);
}

__attribute__((unused)) static lua_State *open_state(void) {
  lua_State *L = luaL_newstate();
  lua_pushcfunction(L, set_up);
  ended_well(L, lua_pcall(L, 0, 0, 0));
  lua_pushcfunction(L, load_module);
  ended_well(L, lua_pcall(L, 0, 0, 0));
  ended_well(L, luaL_dostring(L, prelude));
  return L;
}

/* Call `code` with `ctx`; its one string result is good until the next call. */
__attribute__((unused)) static const char *run_as(lua_State *L, cctx *ctx,
                                                  const char *code) {
  lua_settop(L, 0);
  ended_well(L, luaL_loadstring(L, code));
  ended_well(L, lua->pcall(L, ctx, 0, 1, 0));
  return lua_tostring(L, -1);
}

/* A coroutine that will run `code`, left on the stack of `L`. */
__attribute__((unused)) static lua_State *start(lua_State *L, const char *code) {
  lua_State *co = lua_newthread(L);
  ended_well(co, luaL_loadstring(co, code));
  return co;
}

/* Resume; the one string that it yields, returns or dies with, until the next step. */
__attribute__((unused)) static const char *step(lua_State *co, lua_State *from) {
  static char said[64];
  int n = 0;
  int status = lua->resume(co, from, 0, &n);
  if (status > LUA_YIELD) n = 1;
  CHECK_EQ(n, 1);
  snprintf(said, sizeof said, "%s", n == 1 ? lua_tostring(co, -1) : "");
  lua_pop(co, n);
  return said;
}

#endif
