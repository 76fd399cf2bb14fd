/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of a C host and the Lua code it runs: what answers while, and after. */
#include "lua_host.h"

static cctx_request begin(const char *name) {
  cctx *ctx = request(name);
  cctx_request it;
  CHECK_EQ(cctx_request_begin(&it, ctx, NULL), CCTX_OK);
  cctx_unref(ctx);
  return it;
}

static const char *code_sees(lua_State *L, const char *code) {
  lua_settop(L, 0);
  ended_well(L, luaL_loadstring(L, code));
  ended_well(L, lua_pcall(L, 0, 1, 0));
  return lua_tostring(L, -1);
}

/* Status in C and in Lua, from a function three layers below. */
static int c_status(lua_State *L) {
  static const char *const words[] = {"none", "attached", "unknown", "ended"};
  lua_pushstring(L, words[cctx_current_status()]);
  return 1;
}

static const char late[] = "kept = cctx.create(function()\n"
                           "  while true do coroutine.yield(both()) end\n"
                           "end)\n"
                           "bound = cctx.bind(function()\n"
                           "  return both() .. ' ' .. tostring(cctx.err())\n"
                           "end)\n"
                           "return 'started'";
static const char step_kept[] = "return select(2, cctx.resume(kept))";

/* S18: a request's end: what was inherited answers background. */
TEST(what_a_script_started_sees_nothing_once_its_request_has_ended) {
  lua_State *L = open_state();
  cctx_request a = begin("a"), b;
  lua_register(L, "c_status", c_status);
  CHECK_STR(run_as(L, a.ctx, late), "started");
  CHECK_STR(run_as(L, a.ctx, step_kept), "a");
  CHECK_EQ(cctx_request_end(&a), CCTX_OK);
  CHECK_STR(code_sees(L, step_kept), "nobody");
  b = begin("b");
  CHECK_STR(run_as(L, b.ctx, step_kept), "nobody");
  CHECK_STR(who(), "b");
  CHECK_STR(run_as(L, b.ctx, "return both() .. ' ' .. cctx.current_status()"),
            "b attached");
  CHECK_STR(run_as(L, b.ctx,
                   "return cctx.create(c_status) and\n"
                   "  select(2, cctx.resume(cctx.create(c_status)))"),
            "attached");
  CHECK_EQ(cctx_request_end(&b), CCTX_OK);
  lua_close(L);
}

/* S19: what was handed over keeps its values, and says canceled. */
TEST(what_a_script_bound_keeps_its_values_after_the_request) {
  lua_State *L = open_state(), *co;
  cctx_request a = begin("a"), b;
  CHECK_STR(run_as(L, a.ctx, late), "started");
  lua_settop(L, 0);
  co = start(L, "coroutine.yield(both()) return both() .. cctx.err()");
  lua->bind(L, co, a.ctx);
  CHECK_STR(step(co, L), "a");
  CHECK_EQ(cctx_request_end(&a), CCTX_OK);
  b = begin("b");
  CHECK_STR(step(co, L), "acanceled");
  CHECK_STR(who(), "b");
  CHECK_STR(code_sees(L, "return bound()"), "a canceled");
  CHECK_EQ(cctx_request_end(&b), CCTX_OK);
  CHECK_STR(code_sees(L, "return bound() .. in_lua()"), "a cancelednobody");
  lua_close(L);
}

static int end_given(lua_State *L) {
  cctx_request_end(lua_touserdata(L, lua_upvalueindex(1)));
  return 0;
}

/* As when another thread, where the request began, ends it meanwhile. */
TEST(a_request_that_ends_under_its_script_leaves_it_with_nothing) {
  lua_State *L = open_state();
  cctx_request a = begin("a");
  CHECK_EQ(cctx_detach(&a.token), CCTX_OK);
  a.token = (cctx_token){NULL, 0};
  lua_pushlightuserdata(L, &a);
  lua_pushcclosure(L, end_given, 1);
  lua_setglobal(L, "end_it");
  lua_register(L, "c_status", c_status);
  CHECK_STR(
      run_as(L, a.ctx,
             "local co = cctx.create(function()\n"
             "  local before = both()\n"
             "  end_it()\n"
             "  local child = cctx.create(function() return both() end)\n"
             "  as('next', function() child = select(2, cctx.resume(child)) end)\n"
             "  return before .. both() .. c_status() .. cctx.current_status() .. child\n"
             "end)\n"
             "local _, said = cctx.resume(co)\n"
             "return said .. both() .. c_status() .. cctx.current_status()"),
      "anobodyendedendednobodynobodyendedended");
  CHECK(cctx_current() == cctx_background());
  lua_close(L);
}

TEST(a_script_that_attaches_and_does_not_leave_is_left_by_its_call) {
  lua_State *L = open_state();
  cctx *a = request("a"), *b = request("b");
  CHECK_STR(run_as(L, a,
                   "x = cctx.background():with_value('who', 'x')\n"
                   "token = x:attach() return both()"),
            "x");
  CHECK_STR(who(), "nobody");
  CHECK_STR(run_as(L, b, "return both() .. tostring((token:close())) .. both()"), "bnilb");
  lua_close(L);
  cctx_unref(a);
  cctx_unref(b);
}

static int call_as_b(lua_State *L) {
  cctx *b = request("b");
  lua_settop(L, 1);
  ended_well(L, lua->pcall(L, b, 0, 1, 0));
  cctx_unref(b);
  return 1;
}

/* The call is a boundary: what is open outside is not closed inside, and the reverse. */
TEST(a_call_inside_a_coroutine_is_a_boundary_for_tokens) {
  lua_State *L = open_state();
  cctx *a = request("a");
  static const char code[] =
      "local resume, x = ..., cctx.background():with_value('who', 'x')\n"
      "local co = cctx.create(function()\n"
      "  local outer, inner = x:attach()\n"
      "  local said = in_lua() .. call_as_b(function()\n"
      "    local ok = outer:close()\n"
      "    local seen = both() .. tostring(ok)\n"
      "    inner = cctx.background():with_value('who', 'y'):attach()\n"
      "    return seen .. both()\n"
      "  end)\n"
      "  said = said .. in_lua() .. tostring((inner:close()))\n"
      "  return said .. tostring((outer:close())) .. in_lua()\n"
      "end)\n"
      "return select(2, resume(co))";
  lua_register(L, "call_as_b", call_as_b);
  for (int managed = 0; managed < 2; managed++) {
    luaL_loadstring(L, code);
    luaL_loadstring(L, managed ? "return cctx.resume" : "return coroutine.resume");
    lua_call(L, 0, 1);
    ended_well(L, lua->pcall(L, a, 1, 1, 0));
    CHECK_STR(lua_tostring(L, -1), "xbnilyxniltruea");
    CHECK_STR(who(), "nobody");
  }
  lua_close(L);
  cctx_unref(a);
}

TEST(what_a_plain_call_attached_goes_with_its_state) {
  lua_State *L = open_state();
  CHECK_STR(code_sees(L, "cctx.background():with_value('who', 'x'):attach()\n"
                         "return both()"),
            "x");
  CHECK_STR(who(), "x"); /* the script asked for that */
  lua_close(L);
  CHECK_STR(who(), "nobody");
}

TEST(a_variable_does_not_leak_from_one_call_to_the_next) {
  lua_State *L = open_state();
  cctx *a = request("a");
  CHECK_STR(code_sees(L, "user = cctx.var('user', 'nobody') user:set 'base'\n"
                         "return user:get()"),
            "base");
  CHECK_STR(run_as(L, a, "user:set 'alice' return user:get()"), "alice");
  CHECK_STR(run_as(L, a, "return user:get()"), "base");
  luaL_loadstring(L, "user:set 'bob' error('no', 0)");
  CHECK_EQ(lua->pcall(L, a, 0, 0, 0), LUA_ERRRUN);
  CHECK_STR(run_as(L, a, "return user:get()"), "base");
  lua_close(L);
  cctx_unref(a);
}

/* A worker that gives its thread to the next job, whatever became of the last one. */
TEST(a_variable_does_not_leak_from_one_body_of_a_thread_to_the_next) {
  lua_State *L = open_state(), *co;
  cctx *a = request("a"), *b = request("b");
  int n = 0;
  code_sees(L, "user = cctx.var('user', 'nobody') return ''");
  lua_settop(L, 0);
  if (LCCTX_PCALL_YIELDS)
    co = start(L, "user:set 'alice' as('x', coroutine.yield, user:get())");
  else
    co = start(L, "user:set 'alice' coroutine.yield(user:get())");
  lua->bind(L, co, a);
  CHECK_STR(step(co, L), "alice");
  if (LCCTX_CLOSES)
    lcctx_closethread(co, NULL);
  else /* it can only go on to its end */
    CHECK_EQ(lua->resume(co, L, 0, &n), LUA_OK);
  lua->bind(L, co, b);
  luaL_loadstring(co, "return user:get() .. both()");
  CHECK_STR(step(co, L), "nobodyb");
  luaL_loadstring(co, "user:set 'bob' return user:get()");
  CHECK_STR(step(co, L), "bob");
  luaL_loadstring(co, "return user:get() .. both()");
  CHECK_STR(step(co, L), "nobodynobody");
  lua_close(L);
  cctx_unref(a);
  cctx_unref(b);
}

/* The error is the object that was raised, wherever it passes. */
TEST(an_error_object_keeps_its_identity) {
  lua_State *L = open_state();
  cctx *a = request("a");
  CHECK_STR(
      run_as(L, a,
             "local object, said = {}, ''\n"
             "local function same(ok, err) said = said .. tostring(err == object) end\n"
             "same(pcall(cctx.bind(error), object))\n"
             "same(pcall(as, 'b', error, object))\n"
             "same(cctx.resume(cctx.create(error), object))\n"
             "same(pcall(cctx.wrap(error), object))\n"
             "same(pcall(cctx.request, {}, error, object))\n"
             "same(pcall(cctx.guard, error, object))\n"
             "return said"),
      "truetruetruetruetruetrue");
  lua_close(L);
  cctx_unref(a);
}

static int handler(lua_State *L) {
  lua_pushfstring(L, "handled: %s", lua_tostring(L, 1));
  return 1;
}

TEST(a_message_handler_of_a_call_may_be_named_either_way) {
  lua_State *L = open_state();
  cctx *a = request("a");
  for (int i = 0; i < 2; i++) {
    lua_settop(L, 0);
    lua_pushcfunction(L, handler);
    luaL_loadstring(L, "error(..., 0)");
    lua_pushliteral(L, "no");
    CHECK_EQ(i ? lua->pcall(L, a, 1, 0, 1) : lua->pcall(L, a, 1, 0, -3), LUA_ERRRUN);
    CHECK_EQ(lua_gettop(L), 2);
    CHECK_STR(lua_tostring(L, -1), "handled: no");
    lua_settop(L, 1);
    luaL_loadstring(L, "error(..., 0)");
    lua_pushliteral(L, "no");
    CHECK_EQ(i ? lua->guard(L, a, 1, 0, 1, 0, -1) : lua->guard(L, a, 1, 0, -3, 0, -1),
             LUA_ERRRUN);
    CHECK_STR(lua_tostring(L, -1), "handled: no");
  }
  lua_close(L);
  cctx_unref(a);
}

TEST(a_host_of_an_older_lua_is_told_that_it_cannot_close) {
  lua_State *L = open_state(), *co = start(L, "coroutine.yield(both()) return both()");
  cctx *a = request("a");
  lua->bind(L, co, a);
  CHECK_STR(step(co, L), "a");
  if (!LCCTX_CLOSES) {
    CHECK_EQ(lua->close(co, L), LUA_ERRRUN);
    CHECK(strstr(lua_tostring(co, -1), "cannot close a coroutine") != NULL);
    lua_pop(co, 1);
    CHECK_STR(step(co, L), "a");
  }
  lua_close(L);
  cctx_unref(a);
  if (LCCTX_CLOSES) SKIP("this one can");
}

static void close_under_its_context(lua_State *L) {
  lua_State *co;
  cctx *a = request("a"), *b = request("b");
  cctx_token token;
  co = start(
      L, "local _ <close> = setmetatable({}, {__close = function() seen = both() end})\n"
         "coroutine.yield('open')");
  lua->bind(L, co, a);
  CHECK_STR(step(co, L), "open");
  CHECK_EQ(cctx_attach(b, &token), CCTX_OK);
  CHECK_EQ(lua->close(co, L), LUA_OK);
  CHECK_STR(who(), "b");
  cctx_detach(&token);
  CHECK_STR(code_sees(L, "return seen"), "a");
  CHECK(lua->current(co) == cctx_background());
  co = start(L, "error('no', 0)");
  CHECK_STR(step(co, L), "no");
  CHECK_EQ(lua->close(co, NULL), LUA_ERRRUN);
  CHECK_STR(lua_tostring(co, -1), "no");
  cctx_unref(a);
  cctx_unref(b);
}

TEST(a_host_closes_a_coroutine_under_its_context) {
  lua_State *L;
  if (!LCCTX_CLOSES) SKIP("before Lua 5.4 there is nothing to close");
  L = open_state();
  close_under_its_context(L);
  lua_close(L);
}

static void no_hook(lua_State *L, lua_Debug *unused) { (void)L, (void)unused; }

TEST(a_guarded_call_is_stopped_at_the_deadline) {
  lua_State *L = open_state();
  cctx *a;
  cctx_clock_set(1000 * CCTX_SECOND);
  a = cctx_with_timeout(cctx_background(), CCTX_SECOND);
  luaL_loadstring(L, "cctx.testing.clock_set(2000) while true do end");
  CHECK_EQ(lua->guard(L, a, 0, 0, 0, 100, 0), LUA_ERRRUN);
  luaL_callmeta(L, -1, "__tostring");
  CHECK(strncmp(lua_tostring(L, -1), "deadline_exceeded: ", 19) == 0);
  CHECK(lua_gethook(L) == NULL);
  lua_settop(L, 0);
  luaL_loadstring(L, "return ...");
  lua_pushinteger(L, 7);
  CHECK_EQ(lua->guard(L, cctx_background(), 1, LUA_MULTRET, 0, 0, -1), LUA_OK);
  CHECK_EQ(lua_gettop(L), 1);
  CHECK_EQ(lua_tointeger(L, 1), 7);
  lua_sethook(L, no_hook, LUA_MASKCOUNT, 1000000);
  lua_pushcfunction(L, ask_c);
  CHECK_EQ(lua->guard(L, a, 0, 0, 0, 0, -1), LUA_ERRRUN);
  CHECK(strstr(lua_tostring(L, -1), "hook in use") != NULL);
  CHECK(lua_gethook(L) == no_hook);
  lua_close(L);
  cctx_unref(a);
}

/* What C code below sees, with Lua's own functions replaced, and others replaced before. */
TEST(c_code_in_installed_coroutines_sees_their_context) {
  uint64_t stale = cctx_stale_detaches();
  lua_State *L;
  cctx *a;
  if (!LCCTX_PCALL_YIELDS) SKIP("in Lua 5.1 no run can yield");
  L = open_state();
  a = request("a");
  CHECK_STR(run_as(L, a,
                   "local said = {}\n"
                   "local function body()\n"
                   "  said[#said + 1] = both()\n"
                   "  as('run', function()\n"
                   "    coroutine.yield()\n"
                   "    said[#said + 1] = both()\n"
                   "  end)\n"
                   "  said[#said + 1] = both()\n"
                   "end\n"
                   "local resume = coroutine.resume\n"
                   "for i = 1, 2 do\n"
                   "  if i == 2 then\n"
                   "    coroutine.resume = function(...)\n"
                   "      said[#said + 1] = in_lua()\n"
                   "      return resume(...)\n"
                   "    end\n"
                   "  end\n"
                   "  local undo = cctx.install()\n"
                   "  local co = as('creator', coroutine.create, body)\n"
                   "  for _ = 1, 2 do as('resumer', coroutine.resume, co) end\n"
                   "  said[#said + 1] = both()\n"
                   "  undo()\n"
                   "end\n"
                   "coroutine.resume = resume\n"
                   "return table.concat(said, ' ')"),
            "creator run creator a resumer creator resumer run creator a");
  CHECK_EQ(cctx_stale_detaches(), stale);
  lua_close(L);
  cctx_unref(a);
}

TEST(c_code_sees_what_a_script_attached) {
  uint64_t stale = cctx_stale_detaches();
  lua_State *L = open_state(), *co;
  cctx *a = request("a");
  CHECK_STR(run_as(L, a,
                   "x = cctx.background():with_value('who', 'x')\n"
                   "local said = both()\n"
                   "local token = x:attach() said = said .. both() token:close()\n"
                   "return said .. both()"),
            "axa");
  lua_settop(L, 0);
  co = start(L, "local t = x:attach() coroutine.yield(both())\n"
                "coroutine.yield(both()) t:close() return both()");
  lua->bind(L, co, a);
  CHECK_STR(step(co, L), "x");
  CHECK_STR(who(), "nobody");
  CHECK_STR(step(co, L), "x");
  CHECK_STR(who(), "nobody");
  CHECK_STR(step(co, L), "a");
  CHECK_EQ(cctx_stale_detaches(), stale);
  lua_close(L);
  cctx_unref(a);
}
