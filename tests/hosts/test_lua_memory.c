/* SPDX-License-Identifier: Apache-2.0 */
/* Lua and the core without memory: no context leaks, nobody sees another's. */
#include "lua_host.h"

/* Contexts and coroutines. */
static const char contexts[] =
    "local cctx = require 'cctx'\n"
    "local b = cctx.background()\n"
    "local function go(f, ...) return pcall(f, ...) end\n"
    "local c = b:with_timeout(100, 'slow'):with_cancel()\n"
    "go(function() return tostring(c), tostring(cctx.todo()), c == b, c:can_be_done() "
    "end)\n"
    "go(function() c = c:with_value('who', 'x'):with_values{n = 1, s = 'y'} end)\n"
    "go(function() c = c:with_metadata('m', '1'):with_metadata{a = '2', b = '3'} end)\n"
    "go(function() c = c:with_metadata(c:metadata_pairs(), 'hop') end)\n"
    "go(function() return c:without_metadata('a', 'm'):metadata_pairs('hop') end)\n"
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

/* What only a Lua with ends of blocks has. */
static const char blocks[] =
    "local cctx = require 'cctx'\n"
    "local b, yield = cctx.background(), coroutine.yield\n"
    "local function go(f, ...) return pcall(f, ...) end\n"
    "local c = b:with_value('who', 'x'):with_cancel()\n"
    "go(function()\n"
    "  local t <close> = c:attach() local u <close> = c:with_cancel() t:close()\n"
    "  local h <close> = u:on_done(print)\n"
    "end)\n"
    "local function attached() local _ <close> = c:attach() yield(c:attach()) end\n"
    "go(function()\n"
    "  local co = cctx.create(attached)\n"
    "  cctx.resume(co) coroutine.resume(co)\n"
    "  co = cctx.create(attached) cctx.resume(co) cctx.close(co)\n"
    "  co = cctx.create(attached) coroutine.resume(co) coroutine.close(co)\n"
    "end)\n"
    "go(function()\n"
    "  local undo <close> = setmetatable({cctx.install()}, {__close = function(u)\n"
    "    u[1]() end})\n"
    "  local co = c:run(coroutine.create, attached)\n"
    "  coroutine.resume(co) coroutine.close(co)\n"
    "end)\n";

/* The rest: each line may fail on its own. */
static const char others[] =
    "local cctx = require 'cctx'\n"
    "local b, yield = cctx.background(), coroutine.yield\n"
    "local close = coroutine.close or function() end\n"
    "local function go(f, ...) return pcall(f, ...) end\n"
    "local function nothing() end\n"
    "local c = b:with_value('who', 'x'):with_cancel()\n"
    "go(function()\n"
    "  local t = c:attach() local u = c:attach() tostring(t) u:close() t:close()\n"
    "end)\n"
    "go(c.run, c, function() for i = 1, 4 do c:attach() end end)\n"
    "local function attached() c:attach() yield(c:attach()) end\n"
    "go(function()\n"
    "  local co = cctx.create(attached)\n"
    "  cctx.resume(co) coroutine.resume(co)\n"
    "  co = cctx.create(attached) coroutine.resume(co) cctx.resume(co)\n"
    "  co = cctx.create(attached) cctx.resume(co) close(co)\n"
    "end)\n"
    "go(function()\n"
    "  cctx.request({timeout = 5, response = true, metadata = {a = '1'}, parent = c}, "
    "function()\n"
    "    go(cctx.response_set, 'a', '1') go(cctx.response_set, {b = '2'})\n"
    "    go(function() local r = c:with_response 'append'\n"
    "      r:response_receive('a', '1') r:response_receive{a = '2'}\n"
    "      return r:response():metadata 'a', r:response_end() end)\n"
    "    kept = cctx.create(function() c:run(yield) return cctx.current_status() end)\n"
    "    cctx.resume(kept)\n"
    "  end)\n"
    "  cctx.resume(kept) kept = nil\n"
    "  cctx.wrap(function() cctx.request({}, yield) end)()\n"
    "  local co = cctx.create(function() cctx.request(nil, yield) end)\n"
    "  cctx.resume(co) close(co) cctx.request({x = 1}, nothing)\n"
    "end)\n"
    "go(function()\n"
    "  local p = cctx.policy{allow = {'a', 'b*'}, send = {'a'}, rename = {t = 'a'}}\n"
    "  local d = cctx.extract({baggage = {'t=1', 'b=2'}, traceparent = 'x'}, c, p)\n"
    "  cctx.inject({Baggage = 'x'}, d, p) cctx.inject({}, d, 'environment')\n"
    "  p:counts() cctx.policy 'grpc' cctx.extract({}, nil, 'x')\n"
    "end)\n"
    "local var = cctx.var('v', 1)\n"
    "go(function() var:set(c) var:set(nil) return var:get(), tostring(var) end)\n"
    "go(function()\n"
    "  var:with(c, function() cctx.resume(cctx.create(function() var:set(2) end)) end)\n"
    "  var:with(2, error)\n"
    "end)\n"
    "go(function()\n"
    "  local d = b:with_cancel()\n"
    "  local h = d:on_done(nothing) d:on_done(error) d:on_done(nothing):off()\n"
    "  tostring(h) d:cancel() pcall(cctx.poll) cctx.poll()\n"
    "  c:on_done(nothing) cctx.loop_next() cctx.loop_fd()\n"
    "  cctx.wait(-1) c:wait(0) d:run(cctx.wait)\n"
    "  return d:pollfd(), d:events(), d:timeout(), d:getfd(), d:dirty()\n"
    "end)\n"
    "go(function() return c:merge(b), c:with_grace(1), cctx.current_status(), cctx.now() "
    "end)\n"
    "go(function() cctx.testing.stale_detaches() cctx.testing.clock_set(nil) end)\n"
    "go(function() cctx.import(c:export()) cctx.import 'x' end)\n"
    "go(function()\n"
    "  cctx.guard({every = 1}, nothing) cctx.guard(error)\n"
    "  local d = b:with_cancel() d:cancel()\n"
    "  d:run(cctx.guard, function() while true do end end)\n"
    "end)\n"
    "go(function() cctx.resume(cctx.create(function() cctx.guard(yield) end)) end)\n"
    "local resume = coroutine.resume\n"
    "for i = 1, 2 do\n"
    "  go(function()\n"
    "    local undo = cctx.install()\n"
    "    go(function()\n"
    "      local co = c:run(coroutine.create, function() c:run(yield) yield() end)\n"
    "      coroutine.resume(co) coroutine.resume(co) close(co)\n"
    "      coroutine.wrap(function() c:run(yield) end)()\n"
    "    end)\n"
    "    undo()\n"
    "  end)\n"
    "  coroutine.resume = function(...) return resume(...) end\n"
    "end\n"
    "go(function() cctx.testing.strict(nothing) cctx.testing.strict(error) end)\n"
    "go(function()\n"
    "  cctx.testing.strict(c.run, c, function()\n"
    "    local t = c:attach() c:attach() t:close()\n"
    "  end)\n"
    "end)\n"
    "go(close_one) go(call_guarded)\n";

static int push_current(lua_State *L) {
  lua->push(L, cctx_current());
  return 1;
}

static int bind_current(lua_State *L) {
  lua->bind(L, lua_newthread(L), cctx_current());
  return 1;
}

static int close_one(lua_State *L) {
  lua_State *co = lua_newthread(L);
  int n;
  lua->bind(L, co, cctx_current());
  if (luaL_loadstring(co, "cctx.current():run(coroutine.yield)") == LUA_OK)
    lua->resume(co, L, 0, &n);
  lua->close(co, L);
  return 0;
}

static int call_guarded(lua_State *L) {
  lua_settop(L, 0);
  if (luaL_loadstring(L, "return cctx.current()") != LUA_OK) return lua_error(L);
  if (lua->guard(L, cctx_current(), 0, 1, 0, 0, -1) != LUA_OK) return lua_error(L);
  return 0;
}

static const char *script;

static void set_up_all(lua_State *L) {
  if (lua == NULL) lua_close(open_state()); /* learns the api */
  lua_pushcfunction(L, set_up);
  ended_well(L, lua_pcall(L, 0, 0, 0));
  lua_register(L, "push", push_current);
  lua_register(L, "bind", bind_current);
  lua_register(L, "close_one", close_one);
  lua_register(L, "call_guarded", call_guarded);
  ended_well(L, luaL_loadstring(L, script));
}

/* Of the memory that a state asks for by then on. Fails call `fail` and the next, which is Lua's second attempt after collecting
 * garbage; or all from there on. */
struct memory {
  lua_Alloc of_lua;
  void *arg;
  long calls, fail;
  bool onwards;
};

static void *allocate(void *arg, void *block, size_t old, size_t size) {
  struct memory *memory = arg;
  if (size > 0 && (block == NULL || size > old)) {
    long call = ++memory->calls;
    if (memory->fail > 0 && call >= memory->fail &&
        (memory->onwards || call <= memory->fail + 1))
      return NULL;
  }
  return memory->of_lua(memory->arg, block, old, size);
}

/* A token of export that nobody could import keeps its context for a minute. */
static void expire_tokens(void) {
  static lua_State *L;
  if (L == NULL) L = open_state();
  cctx_clock_set(cctx_now() + 61 * CCTX_SECOND);
  run_as(L, cctx_background(), "cctx.alive()");
  cctx_clock_set(CCTX_CLOCK_REAL);
}

/* Run it all with call `fail` failing; whether there was one to fail, and all is well. */
static bool survive(long fail, bool onwards) {
  struct memory memory = {.fail = 0};
  lua_State *L = luaL_newstate();
  cctx *host = request("host");
  cctx_token token;
  bool hit, well;
  int status;
  CHECK_EQ(cctx_attach(host, &token), CCTX_OK);
  set_up_all(L);
  lua_pushcfunction(L, load_module);
  memory.of_lua = lua_getallocf(L, &memory.arg);
  lua_setallocf(L, allocate, &memory);
  /* Lua drops a finalizer for whose call it has no memory, and with it the reference. So what is
   * garbage is collected when there is memory again, at the end. */
  lua_gc(L, LUA_GCSTOP, 0);
  memory.fail = fail;
  memory.onwards = onwards;
  /* Without memory Lua cannot even call __close; the end of the call leaves what is open. */
  status = lua_pcall(L, 0, 0, 0);
  if (status == LUA_OK) status = lua->pcall(L, host, 0, 0, 0);
  hit = memory.calls >= fail;
  if (!hit) ended_well(L, status);
  memory.fail = 0;
  well = CHECK_STR(who(), "host") && CHECK_EQ(cctx_detach(&token), CCTX_OK);
  lua_close(L);
  cctx_unref(host);
  if (cctx_alive() > 0) expire_tokens();
  return CHECK_EQ(cctx_alive(), 0) && well && hit;
}

#define CALLS_MAX 20000

static void fail_each(const char *code, bool onwards) {
  long n = 1;
  script = code;
  while (n < CALLS_MAX && survive(n, onwards)) n++;
  if (!CHECK(n > 100 && n < CALLS_MAX) || check_failures > 0)
    printf("  call %ld was to fail\n", n);
}

TEST(no_context_leaks_whichever_allocation_of_lua_fails) { fail_each(contexts, false); }
TEST(no_context_leaks_when_lua_runs_out_of_memory) { fail_each(contexts, true); }
TEST(no_block_leaks_whichever_allocation_of_lua_fails) {
  if (!LCCTX_CLOSES) SKIP("this Lua has no ends of blocks");
  fail_each(blocks, false);
}
TEST(no_block_leaks_when_lua_runs_out_of_memory) {
  if (!LCCTX_CLOSES) SKIP("this Lua has no ends of blocks");
  fail_each(blocks, true);
}
TEST(nothing_else_leaks_whichever_allocation_of_lua_fails) { fail_each(others, false); }
TEST(nothing_else_leaks_when_lua_runs_out_of_memory) { fail_each(others, true); }

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
  script = contexts;
  FAIL_EACH_ALLOCATION(run_everything());
}

TEST(nothing_else_leaks_whichever_allocation_of_the_core_fails) {
  script = others;
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
