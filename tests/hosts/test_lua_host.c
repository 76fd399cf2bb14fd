/* SPDX-License-Identifier: Apache-2.0 */
/* A C host that runs Lua: what its C code sees while scripts run, yield, and fail. */
#include "lua_host.h"

/* ---- Calling scripts ---- */

/* S11: where nothing is attached it is background. */
TEST(a_script_sees_the_context_it_is_called_with) {
  lua_State *L = open_state();
  cctx *a = request("a");
  CHECK_STR(run_as(L, a, "return both()"), "a");
  CHECK(cctx_current() == cctx_background());
  CHECK_STR(run_as(L, cctx_background(), "return both()"), "nobody");
  lua_close(L);
  cctx_unref(a);
}

/* S12: leaving restores what was there, also after an error. */
TEST(the_hosts_own_current_is_back_after_a_call) {
  lua_State *L = open_state();
  cctx *host = request("host"), *a = request("a");
  cctx_token token;
  CHECK_EQ(cctx_attach(host, &token), CCTX_OK);
  CHECK_STR(run_as(L, a, "return as('b', both) .. both()"), "ba");
  CHECK_STR(who(), "host");
  luaL_loadstring(L, "as('b', error, 'no')");
  CHECK_EQ(lua->pcall(L, a, 0, 0, 0), LUA_ERRRUN);
  CHECK_STR(lua_tostring(L, -1), "no");
  CHECK_STR(who(), "host");
  luaL_loadstring(L, "return both()");
  ended_well(L, lua_pcall(L, 0, 1, 0));
  CHECK_STR(lua_tostring(L, -1), "host");
  CHECK_EQ(cctx_detach(&token), CCTX_OK);
  lua_close(L);
  cctx_unref(a);
  cctx_unref(host);
}

static int call_as_b(lua_State *L) {
  cctx *b = request("b");
  lua_settop(L, 1);
  lua->pcall(L, b, 0, 1, 0);
  cctx_unref(b);
  return 1;
}

TEST(a_nested_call_inside_a_coroutine_has_its_own_context) {
  lua_State *L = open_state();
  cctx *a = request("a");
  lua_register(L, "call_as_b", call_as_b);
  CHECK_STR(run_as(L, a,
                   "local co = cctx.wrap(function()\n"
                   "  return call_as_b(function() return both() .. as('c', both) end) ..\n"
                   "    both()\n"
                   "end)\n"
                   "return co() .. both()"),
            "bcaa");
  CHECK_STR(who(), "nobody");
  lua_close(L);
  cctx_unref(a);
}

TEST(c_code_below_a_script_sees_each_switch) {
  lua_State *L = open_state();
  cctx *a = request("a");
  CHECK_STR(run_as(L, a,
                   "local said = {}\n"
                   "local function say() said[#said + 1] = both() end\n"
                   "local co = as('creator', cctx.create, function()\n"
                   "  say()\n"
                   "  as('run', function() coroutine.yield() say() end)\n"
                   "  say()\n"
                   "  pcall(as, 'run', function() coroutine.yield() error 'no' end)\n"
                   "  say()\n"
                   "end)\n"
                   "local next = cctx.wrap(function() as('g', coroutine.yield) say() end)\n"
                   "next() cctx.resume(co) say()\n"
                   "as('b', cctx.resume, co) as('b', next) say()\n"
                   "cctx.resume(co) say()\n"
                   "return table.concat(said, ' ')"),
            "creator a run creator a a creator a");
  CHECK_EQ(cctx_stale_detaches(), 0);
  lua_close(L);
  cctx_unref(a);
}

/* C that a coroutine calls, works for somebody else, and calls the coroutine back. */
static int for_another(lua_State *L) {
  cctx *other = request("other");
  cctx_token token;
  CHECK_EQ(cctx_attach(other, &token), 0);
  lua_call(L, 0, 1);
  cctx_detach(&token);
  cctx_unref(other);
  return 1;
}

TEST(what_c_attached_covers_the_coroutine_that_it_calls_back) {
  lua_State *L = open_state();
  cctx *a = request("a");
  lua_register(L, "for_another", for_another);
  CHECK_STR(run_as(L, a,
                   "local next = cctx.wrap(function()\n"
                   "  local said = for_another(both)\n"
                   "  local child = for_another(function() return cctx.wrap(both) end)\n"
                   "  return said .. ' ' .. both() .. ' ' .. child()\n"
                   "end)\n"
                   "return as('b', next) .. ' ' .. both()"),
            "other a other a");
  lua_close(L);
  cctx_unref(a);
}

/* ---- Coroutines that the host runs ---- */

static const char worker[] = "coroutine.yield(both())\n"
                             "as('run', function()\n"
                             "  coroutine.yield(both())\n"
                             "  coroutine.yield(both())\n"
                             "end)\n"
                             "coroutine.yield(both())\n"
                             "return both()";

TEST(a_bound_coroutine_keeps_its_context_over_its_yields) {
  lua_State *L = open_state(), *co = start(L, worker);
  cctx *a = request("a");
  lua->bind(L, co, a);
  CHECK_STR(who_of(lua->current(co)), "a");
  cctx_unref(a);
  CHECK_STR(step(co, L), "a");
  CHECK_STR(who(), "nobody");
  CHECK_STR(step(co, NULL), "run");
  CHECK_STR(who_of(lua->current(co)), "run");
  CHECK_STR(step(co, L), "run");
  CHECK_STR(step(co, L), "a");
  CHECK_STR(step(co, L), "a");
  CHECK_STR(who(), "nobody");
  CHECK_EQ(cctx_stale_detaches(), 0);
  lua_close(L);
}

TEST(two_interleaved_coroutines_see_their_own) {
  lua_State *L = open_state(), *co[2] = {start(L, worker), start(L, worker)};
  cctx *host = request("host"), *ctx[2] = {request("a"), request("b")};
  static const char *const expected[] = {"a",   "b", "run", "run", "run",
                                         "run", "a", "b",   "a",   "b"};
  cctx_token token;
  CHECK_EQ(cctx_attach(host, &token), CCTX_OK);
  for (int i = 0; i < 2; i++) lua->bind(L, co[i], ctx[i]);
  for (int i = 0; i < 10; i++) {
    CHECK_STR(step(co[i % 2], L), expected[i]);
    CHECK_STR(who(), "host");
  }
  CHECK_EQ(cctx_detach(&token), CCTX_OK);
  lua_close(L);
  for (int i = 0; i < 2; i++) cctx_unref(ctx[i]);
  cctx_unref(host);
}

TEST(an_unbound_coroutine_follows_the_host) {
  lua_State *L = open_state(), *co = start(L, worker);
  cctx *a = request("a"), *b = request("b");
  cctx_token token;
  CHECK_EQ(cctx_attach(a, &token), CCTX_OK);
  CHECK_STR(step(co, L), "a");
  CHECK_STR(step(co, L), "run");
  cctx_detach(&token);
  CHECK_EQ(cctx_attach(b, &token), CCTX_OK);
  CHECK_STR(step(co, L), "run");
  CHECK_STR(step(co, L), "b");
  cctx_detach(&token);
  CHECK_STR(step(co, L), "nobody");
  lua_close(L);
  cctx_unref(b);
  cctx_unref(a);
}

TEST(binding_null_takes_the_context_away) {
  lua_State *L = open_state(), *co = start(L, worker);
  cctx *a = request("a");
  lua->bind(L, co, NULL);
  lua->bind(L, co, a);
  lua->bind(L, co, NULL);
  CHECK_STR(step(co, L), "nobody");
  lua_close(L);
  cctx_unref(a);
}

TEST(a_thread_used_again_does_not_keep_the_last_context) {
  lua_State *L = open_state(), *co = start(L, "return both()");
  cctx *a = request("a");
  lua->bind(L, co, a);
  CHECK_STR(step(co, L), "a");
  luaL_loadstring(co, "return both()");
  CHECK_STR(step(co, L), "nobody");
  lua->bind(L, co, a);
  luaL_loadstring(co, "as('run', function() error('no', 0) end)");
  CHECK_STR(step(co, L), "no");
  lua_resetthread(co);
  lua_settop(co, 0);
  CHECK_STR(who_of(lua->current(co)), "nobody");
  luaL_loadstring(co, "return both()");
  CHECK_STR(step(co, L), "nobody");
  luaL_loadstring(co, "as('run', coroutine.yield, 'suspended')");
  lua->bind(L, co, a);
  CHECK_STR(step(co, L), "suspended");
  lua_setglobal(L, "co");
  CHECK_STR(run_as(L, a, "return tostring(cctx.close(co))"), "true");
  lua_settop(co, 0);
  luaL_loadstring(co, "return both()");
  CHECK_STR(step(co, L), "nobody");
  luaL_loadstring(co, "return both()");
  lua->bind(L, co, a);
  CHECK_STR(step(co, L), "a");
  lua_close(L);
  cctx_unref(a);
}

TEST(a_coroutine_that_cannot_be_resumed_says_so) {
  lua_State *L = open_state(), *co = start(L, "return both()");
  CHECK_STR(step(co, L), "nobody");
  CHECK_STR(step(co, L), "cannot resume dead coroutine");
  CHECK_STR(who(), "nobody");
  lua_close(L);
}

/* What plain lua_resume runs shows C code the resumer's context, and Lua code its own. */
TEST(a_plain_resume_never_touches_the_threads_current) {
  lua_State *L = open_state(), *co = start(L, worker);
  cctx *host = request("host"), *a = request("a");
  cctx_token token;
  int n;
  static const char *const expected[] = {"C:host Lua:a", "C:host Lua:run", "C:host Lua:run",
                                         "C:host Lua:a", "C:host Lua:a"};
  CHECK_EQ(cctx_attach(host, &token), CCTX_OK);
  lua->bind(L, co, a);
  for (int i = 0; i < 5; i++) {
    CHECK_EQ(lua_resume(co, L, 0, &n), i < 4 ? LUA_YIELD : LUA_OK);
    CHECK_STR(lua_tostring(co, -1), expected[i]);
    lua_pop(co, n);
    CHECK_STR(who(), "host");
  }
  CHECK_EQ(cctx_detach(&token), CCTX_OK);
  lua_close(L);
  cctx_unref(a);
  cctx_unref(host);
}

TEST(a_main_coroutine_that_yields_inside_a_run_leaves_nothing_behind) {
  lua_State *L = open_state();
  int n;
  luaL_loadstring(L, "as('run', function() coroutine.yield(in_lua()) end) return both()");
  CHECK_EQ(lua_resume(L, NULL, 0, &n), LUA_YIELD);
  CHECK_STR(lua_tostring(L, -1), "run");
  CHECK_STR(who(), "nobody");
  lua_pop(L, n);
  CHECK_EQ(lua_resume(L, NULL, 0, &n), LUA_OK);
  CHECK_STR(lua_tostring(L, -1), "nobody");
  CHECK_STR(who(), "nobody");
  lua_close(L);
}

/* ---- States ---- */

static int cross(lua_State *L) {
  lua_State *other = lua_touserdata(L, lua_upvalueindex(1));
  cctx *b = request("b");
  lua_pushstring(L, run_as(other, b, "return both() .. as('c', both) .. both()"));
  cctx_unref(b);
  return 1;
}

TEST(two_states_on_one_thread_nest) {
  lua_State *outer = open_state(), *inner = open_state();
  cctx *a = request("a");
  lua_pushlightuserdata(outer, inner);
  lua_pushcclosure(outer, cross, 1);
  lua_setglobal(outer, "cross");
  CHECK_STR(run_as(outer, a,
                   "return both() .. cctx.wrap(function()\n"
                   "  return as('d', function() return cross() .. both() end)\n"
                   "end)() .. both()"),
            "abcbda");
  CHECK_STR(who(), "nobody");
  lua_close(outer);
  lua_close(inner);
  cctx_unref(a);
}

TEST(closing_a_state_gives_back_what_is_suspended_in_it) {
  lua_State *L = open_state();
  cctx *a = request("a");
  run_as(L, a,
         "kept = {}\n"
         "for i = 1, 10 do\n"
         "  kept[i] = cctx.create(function() as('run', coroutine.yield) end)\n"
         "  cctx.resume(kept[i])\n"
         "end");
  cctx_unref(a);
  CHECK(cctx_alive() > 0);
  lua_close(L);
  CHECK_EQ(cctx_alive(), 0);
}

/* ---- Values and contexts across the boundary ---- */

/* S7: a named key is the same in every language. */
TEST(a_key_has_the_same_name_in_c_and_lua) {
  lua_State *L = open_state();
  cctx_variant value;
  cctx *ctx;
  CHECK_STR(run_as(L, cctx_background(),
                   "kept = cctx.background():with_values{from_lua = 'x', n = 7}\n"
                   "return 'done'"),
            "done");
  lua_getglobal(L, "kept");
  ctx = lua->to(L, -1);
  CHECK_EQ(cctx_value(ctx, cctx_key_named("from_lua"), &value), CCTX_OK);
  CHECK_STR(value.as.s.bytes, "x");
  CHECK_EQ(cctx_value(ctx, cctx_key_named("n"), &value), CCTX_OK);
  CHECK_EQ(value.as.i, 7);
  lua_close(L);
}

TEST(a_context_crosses_as_the_same_context) {
  lua_State *L = open_state();
  cctx *a = request("a");
  lua->push(L, a);
  CHECK(lua->to(L, -1) == a);
  lua_setglobal(L, "given");
  CHECK_STR(run_as(L, a, "return tostring(given == cctx.current())"), "true");
  CHECK_STR(run_as(L, a, "do local _ <close> = given end return tostring(given)"),
            "cctx.Context: closed");
  lua_getglobal(L, "given");
  CHECK(lua->to(L, -1) == NULL);
  lua_pushnil(L);
  CHECK(lua->to(L, -1) == NULL);
  lua_pushlightuserdata(L, a);
  CHECK(lua->to(L, -1) == NULL);
  lua_close(L);
  cctx_unref(a);
}

TEST(a_pointer_is_opaque_to_lua) {
  lua_State *L = open_state();
  int mine;
  cctx_variant value;
  cctx *ctx = cctx_with_value(cctx_background(), cctx_key_named("mine"),
                              cctx_pointer(&mine, NULL, NULL, &mine));
  CHECK_STR(run_as(L, ctx, "return type(cctx.value 'mine')"), "userdata");
  lua_pushlightuserdata(L, &mine);
  CHECK_EQ(lua->to_value(L, -1, &value), CCTX_EINVAL);
  lua_pushinteger(L, 3);
  CHECK_EQ(lua->to_value(L, -1, &value), CCTX_OK);
  CHECK_EQ(value.type, CCTX_INT);
  lua_close(L);
  cctx_unref(ctx);
}
