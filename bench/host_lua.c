/* SPDX-License-Identifier: Apache-2.0 */
/* Lua code, and C code that calls it, beside what Lua alone offers. */
#include <cctx/lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

static lua_State *L;
static cctx *attached;
static cctx_token token;
static lua_State *yielder; /* a coroutine that yields for ever, anchored */

static int do_nothing(lua_State *state) {
  (void)state;
  return 0;
}

/* Loops in Lua: what the loop uses, and what it does n times. The rival of a reader of
 * the current context is a weak table from coroutines, as Lua programs make it. */
static const char prelude[] =
    "local cctx, empty = require 'cctx', ...\n"
    "local running, resume = coroutine.running, coroutine.resume\n"
    "local function yield_on() while true do coroutine.yield() end end\n"
    "local slots = setmetatable({}, {__mode = 'k'})\n"
    "slots[running()] = {key = 'value'}\n"
    "local current, value, ctx = cctx.current, cctx.value, cctx.current()\n"
    "local managed, resume_managed = cctx.create(yield_on), cctx.resume\n"
    "local plain = coroutine.create(yield_on) local function nothing() end\n";

struct script {
  const char *name, *body;
};

static const struct script scripts[] = {
    {"lua_current", "current()"},
    {"rival_lua_current", "empty()"},
    {"lua_value", "value 'key'"},
    {"rival_lua_value", "local _ = slots[running()].key"},
    {"lua_run", "ctx:run(nothing)"},
    {"rival_lua_run", "pcall(nothing)"},
    {"lua_resume", "resume_managed(managed)"},
    {"rival_lua_resume", "resume(plain)"},
};

static void must(int status) {
  if (status == LUA_OK) return;
  fprintf(stderr, "bench: %s\n", lua_tostring(L, -1));
  exit(1);
}

static int open_state(lua_State *state) {
  luaL_openlibs(state);
  cctx_lua_open(state);
  return 0;
}

/* A function that yields for ever, in a coroutine of its own. */
static void make_yielder(void) {
  yielder = lua_newthread(L);
  must(luaL_loadstring(yielder, "while true do coroutine.yield() end"));
  cctx_lua_bind(L, yielder, attached);
}

static void open_lua(long x) {
  cctx_variant value = cctx_text("value");
  cctx_key *key = bench_must(cctx_key_named("key"));
  (void)x;
  L = bench_must(luaL_newstate());
  lua_pushcfunction(L, open_state);
  must(lua_pcall(L, 0, 0, 0));
  attached = bench_must(cctx_with_value(cctx_background(), key, value));
  if (cctx_attach(attached, &token) != 0) abort();
  make_yielder();
}

static void close_lua(void) {
  cctx_detach(&token);
  lua_close(L);
  cctx_unref(attached);
}

/* ---- Lua code ---- */

/* Leaves a function that runs the body n times. */
static void load_script(const struct script *script) {
  char code[2048];
  snprintf(code, sizeof code, "%s return function(n) for _ = 1, n do %s end end", prelude,
           script->body);
  must(luaL_loadstring(L, code));
  lua_pushcfunction(L, do_nothing);
  must(lua_pcall(L, 1, 1, 0));
}

static void run_loop(long n) {
  lua_pushvalue(L, -1);
  lua_pushinteger(L, n);
  must(lua_pcall(L, 1, 0, 0));
}

#define SCRIPT(number)                                                                     \
  static void open_script_##number(long x) {                                               \
    open_lua(x);                                                                           \
    load_script(&scripts[number]);                                                         \
  }
SCRIPT(0)
SCRIPT(1)
SCRIPT(2)
SCRIPT(3)
SCRIPT(4)
SCRIPT(5)
SCRIPT(6)
SCRIPT(7)

/* ---- C code that calls Lua ---- */

static void run_pcall(long n) {
  while (n-- > 0) {
    lua_pushcfunction(L, do_nothing);
    must(cctx_lua_pcall(L, attached, 0, 0, 0));
  }
}

static void run_plain_pcall(long n) {
  while (n-- > 0) {
    lua_pushcfunction(L, do_nothing);
    must(lua_pcall(L, 0, 0, 0));
  }
}

static void run_resume(long n) {
  int results;
  while (n-- > 0)
    if (cctx_lua_resume(yielder, L, 0, &results) != LUA_YIELD) abort();
}

static void run_plain_resume(long n) {
  int results;
  while (n-- > 0)
    if (lua_resume(yielder, L, 0, &results) != LUA_YIELD) abort();
}

static void run_current(long n) {
  while (n-- > 0) bench_sink += cctx_lua_current(L) == attached;
}

/* A weak table from coroutines, as a C module would read it. */
static void open_slots(long x) {
  open_lua(x);
  lua_newtable(L);
  lua_pushthread(L);
  lua_pushlightuserdata(L, attached);
  lua_rawset(L, -3);
}

static void run_slots(long n) {
  while (n-- > 0) {
    lua_pushthread(L);
    lua_rawget(L, -2);
    bench_sink += lua_touserdata(L, -1) == attached;
    lua_pop(L, 1);
  }
}

#define OP(op_name, opens, runs)                                                           \
  { .name = (op_name), .open = (opens), .run = (runs), .close = close_lua }

const struct bench_op bench_lua[] = {
    OP("lua_current", open_script_0, run_loop),
    OP("rival_lua_current", open_script_1, run_loop),
    OP("lua_value", open_script_2, run_loop),
    OP("rival_lua_value", open_script_3, run_loop),
    OP("lua_run", open_script_4, run_loop),
    OP("rival_lua_run", open_script_5, run_loop),
    OP("lua_resume", open_script_6, run_loop),
    OP("rival_lua_resume", open_script_7, run_loop),
    OP("c_lua_current", open_lua, run_current),
    OP("rival_c_lua_current", open_slots, run_slots),
    OP("c_lua_pcall", open_lua, run_pcall),
    OP("rival_c_lua_pcall", open_lua, run_plain_pcall),
    OP("c_lua_resume", open_lua, run_resume),
    OP("rival_c_lua_resume", open_lua, run_plain_resume),
    {.name = NULL},
};
