/* SPDX-License-Identifier: Apache-2.0 */
/* Lua and the core without memory: no context leaks, nobody sees another's. */
#include "lua_host.h"

static const char everything[] =
    "local cctx = require 'cctx'\n"
    "local b = cctx.background()\n"
    "local function go(f, ...) return pcall(f, ...) end\n"
    "local c = b:with_timeout(100, 'slow'):with_cancel()\n"
    "go(function() return tostring(c), tostring(cctx.todo()), c == b, c:can_be_done() "
    "end)\n"
    "go(function() c = c:with_value('who', 'x'):with_values{n = 1, s = 'y'} end)\n"
    "go(function() c = c:with_metadata('m', '1'):with_metadata{a = '2', b = '3'} end)\n"
    "go(function() c = c:with_metadata(c:metadata_pairs(), 'hop') end)\n"
    "go(function() return c:value 'who', c:metadata 'm', c:deadline(), c:remaining() end)\n"
    "go(function() return c:detached(), c:detached{keep_deadline = true} end)\n"
    "go(function() return c:with_deadline(cctx.now() + 1), cctx.alive() end)\n"
    "go(c.run, c, function()\n"
    "  local f = cctx.bind(function() return cctx.value 's', cctx.current() end)\n"
    "  local co = cctx.create(function()\n"
    "    go(c.run, c, function() coroutine.yield() f() error {} end)\n"
    "    coroutine.yield()\n"
    "    c:with_value('who', 'z'):run(coroutine.yield)\n"
    "  end)\n"
    "  for _ = 1, 3 do cctx.resume(co) end\n"
    "  go(cctx.close, co)\n"
    "  go(cctx.wrap(function() c:run(coroutine.yield) end))\n"
    "  go(cctx.wrap(function() c:run(error) end))\n"
    "  local plain = coroutine.create(function() c:run(coroutine.yield) c:run(f) end)\n"
    "  coroutine.resume(plain) cctx.resume(plain)\n"
    "end)\n"
    "go(push) go(bind)\n"
    "local d = b:with_cancel()\n"
    "go(function() return d:cancel('why'), d:cause(), d:err(), d:check() end)\n"
    "go(function() d:run(function() return tostring(select(2, pcall(cctx.check))) end) "
    "end)\n"
    "go(function() return cctx.err(), cctx.cause(), cctx.metadata 'm', cctx.deadline() "
    "end)\n"
    "go(c.with_metadata, c, 'a b', '') go(c.with_value, c, 'k', {}) go(b.cancel, b)\n";

static int push_current(lua_State *L) {
  lua->push(L, cctx_current());
  return 1;
}

static int bind_current(lua_State *L) {
  lua->bind(L, lua_newthread(L), cctx_current());
  return 1;
}

static void set_up_all(lua_State *L) {
  if (lua == NULL) lua_close(open_state()); /* learns the api */
  lua_pushcfunction(L, set_up);
  ended_well(L, lua_pcall(L, 0, 0, 0));
  lua_register(L, "push", push_current);
  lua_register(L, "bind", bind_current);
  ended_well(L, luaL_loadstring(L, everything));
}

/* Fails call `fail` and the next, which is Lua's second attempt after collecting
 * garbage; or all from there on. */
struct memory {
  long calls, fail;
  bool onwards;
};

static void *allocate(void *arg, void *block, size_t old, size_t size) {
  struct memory *memory = arg;
  if (size == 0) {
    free(block);
    return NULL;
  }
  if (block == NULL || size > old) {
    long call = ++memory->calls;
    if (memory->fail > 0 && call >= memory->fail &&
        (memory->onwards || call <= memory->fail + 1))
      return NULL;
  }
  return realloc(block, size);
}

/* Run it all with call `fail` failing; whether there was one to fail, and all is well. */
static bool survive(long fail, bool onwards) {
  struct memory memory = {0, 0, false};
  lua_State *L = lua_newstate(allocate, &memory);
  cctx *host = request("host");
  cctx_token token;
  bool hit, well;
  int status;
  CHECK_EQ(cctx_attach(host, &token), CCTX_OK);
  set_up_all(L);
  /* Lua drops a finalizer for whose call it has no memory, and with it the reference. So what is
   * garbage is collected when there is memory again, at the end. */
  lua_gc(L, LUA_GCSTOP);
  memory = (struct memory){0, fail, onwards};
  status = lua_pcall(L, 0, 0, 0);
  hit = memory.calls >= fail;
  if (!hit) ended_well(L, status);
  memory.fail = 0;
  well = CHECK_STR(who(), "host") && CHECK_EQ(cctx_detach(&token), CCTX_OK);
  lua_close(L);
  cctx_unref(host);
  return CHECK_EQ(cctx_alive(), 0) && well && hit;
}

#define CALLS_MAX 20000

TEST(no_context_leaks_whichever_allocation_of_lua_fails) {
  long n = 1;
  while (n < CALLS_MAX && survive(n, false)) n++;
  CHECK(n > 100 && n < CALLS_MAX);
}

TEST(no_context_leaks_when_lua_runs_out_of_memory) {
  long n = 1;
  while (n < CALLS_MAX && survive(n, true)) n++;
  CHECK(n > 100 && n < CALLS_MAX);
}

static bool run_everything(void) {
  lua_State *L = luaL_newstate();
  cctx_token token;
  cctx *host = request("host");
  bool ok = host && cctx_attach(host, &token) == CCTX_OK;
  set_up_all(L);
  if (ok) {
    lua_pcall(L, 0, 0, 0);
    CHECK_STR(who(), "host");
    cctx_detach(&token);
  }
  lua_close(L);
  cctx_unref(host);
  return ok;
}

TEST(no_context_leaks_whichever_allocation_of_the_core_fails) {
  FAIL_EACH_ALLOCATION(run_everything());
}

/* Scopes come from a pool: hold them until it has to grow, and cannot. */
TEST(a_call_without_memory_for_the_context_is_not_made) {
  enum { MANY = 1000 };
  static cctx_token held[MANY];
  lua_State *L = open_state(), *co = start(L, "return 'not reached'");
  cctx *a = request("a");
  int n, count = 0;
  check_arm(1, true);
  while (count < MANY && cctx_attach(a, &held[count]) == CCTX_OK) count++;
  CHECK(count < MANY);
  luaL_loadstring(L, "return ...");
  lua_pushinteger(L, 1);
  lua_pushinteger(L, 2);
  CHECK_EQ(lua->pcall(L, a, 2, LUA_MULTRET, 0), LUA_ERRMEM);
  CHECK_EQ(lua_gettop(L), 2); /* the coroutine, the message */
  CHECK_STR(lua_tostring(L, -1), "not enough memory");
  lua_pushinteger(co, 1);
  CHECK_EQ(lua->resume(co, L, 1, &n), LUA_ERRMEM);
  CHECK_STR(lua_tostring(co, -1), "not enough memory");
  cctx_set_allocator(NULL);
  while (count > 0) cctx_detach(&held[--count]);
  lua_close(L);
  cctx_unref(a);
}
