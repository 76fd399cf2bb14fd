/* SPDX-License-Identifier: Apache-2.0 */
/* Lua states: closed in any order and on any thread, going from thread to thread, and side
 * by side on one. */
#include "lua_host.h"

#include <pthread.h>

/* Something of everything, left in the middle. */
static const char leave_all[] =
    "kept = {}\n"
    "local ctx = cctx.background():with_timeout(100):with_value('who', 'x')\n"
    "kept.handle = ctx:on_done(function() called = true end)\n"
    "local soon = cctx.background():with_cancel()\n"
    "soon:on_done(function() called = true end)\n"
    "soon:cancel()\n"
    "kept.fd, kept.loop = ctx:pollfd(), cctx.loop_fd()\n"
    "kept.var = cctx.var 'x' kept.var:set(ctx)\n"
    "for i = 1, 5 do\n"
    "  kept[i] = ctx:run(cctx.create, function()\n"
    "    local token <close> = ctx:attach()\n"
    "    kept.var:set(i)\n"
    "    ctx:on_done(print)\n"
    "    cctx.request({}, function() ctx:run(coroutine.yield) end)\n"
    "  end)\n"
    "  cctx.resume(kept[i])\n"
    "end\n"
    "kept.guarded = cctx.create(function() cctx.guard(coroutine.yield) end)\n"
    "cctx.resume(kept.guarded)\n"
    "kept.undo = cctx.install()\n"
    "kept.token = ctx:attach()\n"
    "setmetatable(kept, {__gc = function()\n"
    "  pcall(function() ctx:on_done(print) end)\n"
    "  pcall(cctx.poll) pcall(cctx.current) pcall(cctx.loop_next)\n"
    "  pcall(kept.handle.off, kept.handle) pcall(kept.token.close, kept.token)\n"
    "  pcall(kept.var.get, kept.var) pcall(ctx.run, ctx, error)\n"
    "end})\n";

static void fill(lua_State *L) { ended_well(L, luaL_dostring(L, leave_all)); }

TEST(a_state_gives_everything_back_when_it_closes) {
  lua_State *L = open_state();
  fill(L);
  CHECK_STR(who(), "x");
  CHECK(cctx_alive() > 0);
  lua_close(L);
  CHECK_EQ(cctx_alive(), 0);
  CHECK_STR(who(), "nobody");
}

static void *close_state(void *L) {
  lua_close(L);
  return NULL;
}

static void on_a_thread(void *(*f)(void *), void *arg) {
  pthread_t thread;
  if (CHECK_EQ(pthread_create(&thread, NULL, f, arg), 0)) pthread_join(thread, NULL);
}

TEST(a_state_gives_everything_back_when_another_thread_closes_it) {
  lua_State *L = open_state();
  cctx_token token;
  fill(L);
  on_a_thread(close_state, L);
  CHECK_STR(who(), "nobody");
  /* What the script left attached here goes when this thread next attaches. */
  CHECK_EQ(cctx_attach(cctx_background(), &token), CCTX_OK);
  CHECK_EQ(cctx_detach(&token), CCTX_OK);
  CHECK_EQ(cctx_alive(), 0);
}

TEST(states_close_in_any_order) {
  for (int order = 0; order < 2; order++) {
    lua_State *states[3];
    for (int i = 0; i < 3; i++) states[i] = open_state();
    for (int i = 0; i < 3; i++) fill(states[i]);
    for (int i = 0; i < 3; i++) lua_close(states[order ? i : 2 - i]);
    CHECK_EQ(cctx_alive(), 0);
    CHECK_STR(who(), "nobody");
  }
}

/* An object that is older than the module is finalized after it. */
TEST(what_is_finalized_last_finds_the_state_closed) {
  lua_State *L = luaL_newstate();
  lua_pushcfunction(L, set_up);
  ended_well(L, lua_pcall(L, 0, 0, 0));
  ended_well(L, luaL_dostring(L, "first = setmetatable({}, {__gc = function()\n"
                                 "  said = {pcall(late)}\n"
                                 "  check(said[1], tostring(said[2]))\n"
                                 "end})"));
  lua_pushcfunction(L, load_module);
  ended_well(L, lua_pcall(L, 0, 0, 0));
  ended_well(L, luaL_dostring(L, prelude));
  ended_well(L, luaL_dostring(L, "function check(ok, err)\n"
                                 "  assert(not ok and err:find 'being closed')\n"
                                 "  _, why = pcall(cctx.poll)\n"
                                 "end\n"
                                 "function late() cctx.background():on_done(print) end\n"
                                 "cctx.background():on_done(print)"));
  lua_close(L);
}

/* ---- From thread to thread ---- */

struct turn {
  lua_State *L, *co;
  const char *expected;
};

static void *take_turn(void *arg) {
  const struct turn *turn = arg;
  cctx *other = request("thread");
  cctx_token token;
  if (CHECK_EQ(cctx_attach(other, &token), CCTX_OK)) {
    CHECK_STR(step(turn->co, turn->L), turn->expected);
    CHECK_STR(who(), "thread");
    cctx_detach(&token);
  }
  cctx_unref(other);
  return NULL;
}

TEST(a_coroutine_goes_on_on_another_thread) {
  uint64_t stale = cctx_stale_detaches();
  lua_State *L = open_state();
  cctx *a = request("a");
  static const char *const expected[] = {"a", "run", "attached", "run", "a"};
  struct turn turn = {L, NULL, NULL};
  turn.co = start(L, "coroutine.yield(both())\n"
                     "as('run', function()\n"
                     "  coroutine.yield(both())\n"
                     "  do\n"
                     "    local ctx = cctx.background():with_value('who', 'attached')\n"
                     "    local _ <close> = ctx:attach()\n"
                     "    coroutine.yield(both())\n"
                     "  end\n"
                     "  coroutine.yield(both())\n"
                     "end)\n"
                     "return both()");
  lua->bind(L, turn.co, a);
  for (int i = 0; i < 5; i++) {
    turn.expected = expected[i];
    if (i % 2)
      take_turn(&turn);
    else
      on_a_thread(take_turn, &turn);
  }
  CHECK_EQ(cctx_stale_detaches(), stale);
  lua_close(L);
  cctx_unref(a);
}

static void *poll_there(void *arg) {
  lua_State *L = arg;
  CHECK_STR(run_as(L, cctx_background(), "return tostring(cctx.poll())"), "2");
  return NULL;
}

static void *cancel_there(void *arg) {
  cctx_cancel((cctx *)arg, "from another thread");
  return NULL;
}

/* S20: a callback is called once, or never; by whoever polls the state. */
TEST(a_callback_waits_for_the_thread_that_runs_the_state) {
  lua_State *L = open_state();
  cctx *ctx = cctx_with_cancel(cctx_background());
  lua->push(L, ctx);
  lua_setglobal(L, "ctx");
  CHECK_STR(run_as(L, cctx_background(),
                   "seen = '' gone = ctx:on_done(error)\n"
                   "for i = 1, 2 do\n"
                   "  ctx:on_done(function(c) seen = seen .. i .. c:cause().message end)\n"
                   "end\n"
                   "return tostring(gone:off())"),
            "true");
  on_a_thread(cancel_there, ctx);
  CHECK_STR(run_as(L, cctx_background(), "return seen"), "");
  on_a_thread(poll_there, L);
  CHECK_STR(run_as(L, cctx_background(), "return seen .. cctx.poll()"),
            "1from another thread2from another thread0");
  lua_close(L);
  cctx_unref(ctx);
}

static void *cancel_soon(void *arg) {
  usleep(2000); /* so that the other is asleep; that it is not is no failure */
  cctx_cancel((cctx *)arg, NULL);
  return NULL;
}

TEST(a_wait_ends_when_another_thread_cancels) {
  static const char *const codes[] = {"return ctx:wait()", "return ctx:run(cctx.wait)",
                                      ("ctx:on_done(function() error('told', 0) end)\n"
                                       "return select(2, pcall(cctx.wait, 60))")};
  static const char *const expected[] = {"canceled", "canceled", "told"};
  for (int i = 0; i < 3; i++) {
    lua_State *L = open_state();
    cctx *ctx = cctx_with_cancel(cctx_background());
    pthread_t thread;
    lua->push(L, ctx);
    lua_setglobal(L, "ctx");
    if (CHECK_EQ(pthread_create(&thread, NULL, cancel_soon, ctx), 0)) {
      CHECK_STR(run_as(L, cctx_background(), codes[i]), expected[i]);
      pthread_join(thread, NULL);
    }
    lua_close(L);
    cctx_unref(ctx);
  }
}

/* ---- Side by side ---- */

TEST(coroutines_of_two_states_interleave_on_one_thread) {
  lua_State *states[2] = {open_state(), open_state()}, *co[2];
  cctx *ctx[2] = {request("a"), request("b")};
  static const char code[] = "for i = 1, 4 do\n"
                             "  coroutine.yield(both())\n"
                             "  as('run', function() coroutine.yield(both()) end)\n"
                             "end\n"
                             "return both()";
  for (int i = 0; i < 2; i++) {
    co[i] = start(states[i], code);
    lua->bind(states[i], co[i], ctx[i]);
  }
  for (int turn = 0; turn < 9; turn++) {
    for (int i = 0; i < 2; i++) {
      CHECK_STR(step(co[i], states[i]), turn % 2 ? "run" : i ? "b" : "a");
      CHECK_STR(who(), "nobody");
    }
  }
  for (int i = 0; i < 2; i++) {
    lua_close(states[i]);
    cctx_unref(ctx[i]);
  }
}

static const char *import_in(lua_State *L, const char *token) {
  lua_settop(L, 0);
  ended_well(L, luaL_loadstring(L, "local ctx = cctx.import(...)\n"
                                   "return ctx and ctx:run(both) or 'nothing'"));
  lua_pushstring(L, token);
  ended_well(L, lua->pcall(L, cctx_background(), 1, 1, 0));
  return lua_tostring(L, -1);
}

struct import {
  lua_State *L;
  const char *token;
  int got;
};

static void *import_there(void *arg) {
  struct import *it = arg;
  it->got = strcmp(import_in(it->L, it->token), "a") == 0;
  return NULL;
}

TEST(a_token_is_imported_by_one_state_alone) {
  enum { THREADS = 4 };
  lua_State *L = open_state();
  cctx *a = request("a");
  pthread_t threads[THREADS];
  struct import imports[THREADS];
  int got = 0;
  const char *token = run_as(L, a, "return cctx.current():export()");
  for (int i = 0; i < THREADS; i++) imports[i] = (struct import){open_state(), token, 0};
  for (int i = 0; i < THREADS; i++)
    CHECK_EQ(pthread_create(&threads[i], NULL, import_there, &imports[i]), 0);
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    got += imports[i].got;
    lua_close(imports[i].L);
  }
  CHECK_EQ(got, 1);
  CHECK_STR(import_in(L, "cctx:00000000000000000000000000000000"), "nothing");
  lua_close(L);
  cctx_unref(a);
}
