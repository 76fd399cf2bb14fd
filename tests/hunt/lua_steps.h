/* SPDX-License-Identifier: Apache-2.0 */
/* What Lua does in the Lua hunt: its code asks for the next step, and carries it out. */
#ifndef LUA_STEPS_H
#define LUA_STEPS_H

#include "lua_world.h"

/* hold(ctx, f): attach for the time of a call, however that ends. */
static const char *const hold_attached[] = {
    "local function hold(ctx, f)\n"
    "  local token = ctx:attach()\n"
    "  local ok, err = pcall(f)\n"
    "  token:close()\n"
    "  if not ok then error(err, 0) end\n"
    "end\n"
    "return hold\n",
    "local function hold(ctx, f)\n"
    "  local token <close> = ctx:attach()\n"
    "  f()\n"
    "end\n"
    "return hold\n",
};

static const char body[] =
    "local hunt, cctx, hold = ...\n"
    "local coroutines, body = {}, nil\n"
    "local make = {cctx.create, coroutine.create, hunt.thread}\n"
    "local resume = {cctx.resume, hunt.resume, coroutine.resume}\n"
    "local act = {\n"
    "  yield = function() coroutine.yield() end,\n"
    "  create = function(at, how)\n"
    "    coroutines[at] = make[how](body)\n"
    "    hunt.created(at, coroutines[at])\n"
    "  end,\n"
    "  resume = function(at, how)\n"
    "    resume[how](coroutines[at])\n"
    "    hunt.resumed(at, coroutine.status(coroutines[at]))\n"
    "  end,\n"
    "  run = function(_, _, ctx) ctx:run(body); hunt.ran() end,\n"
    "  hold = function(_, _, ctx)\n"
    "    hold(ctx, body)\n"
    "    hunt.ran()\n"
    "  end,\n"
    "  bound = function(_, _, ctx) cctx.bind(body, ctx)(); hunt.ran() end,\n"
    "  protect = function(runs) pcall(body); hunt.caught(runs) end,\n"
    "  fail = function() error 'as the schedule says' end,\n"
    "  close = function(at) cctx.close(coroutines[at]); coroutines[at] = nil end,\n"
    "  drop = function(at) coroutines[at] = nil end,\n"
    "  bind = function(at, _, ctx) hunt.bind(coroutines[at], ctx) end,\n"
    "  collect = function(_, how) collectgarbage(how > 0 and 'step' or 'collect') end,\n"
    "  none = function() end,\n"
    "}\n"
    "function body()\n"
    "  while true do\n"
    "    hunt.said(cctx.metadata 'hunt')\n"
    "    local what, a, b, ctx = hunt.step()\n"
    "    if not what then return end\n"
    "    act[what](a, b, ctx)\n"
    "  end\n"
    "end\n"
    "return body, function(at) return coroutines[at] end\n";

/* Keys of the registry. */
static char state_key, body_key, coroutine_key;

static struct state *state_of(lua_State *L) {
  struct state *state;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &state_key);
  state = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return state;
}

static struct coroutine *running(lua_State *L) {
  struct state *state = state_of(L);
  if (L == state->L) return &state->main;
  for (int i = 0; i < COROUTINES; i++)
    if (state->coroutines[i].life == RUNNING && state->coroutines[i].L == L)
      return &state->coroutines[i];
  abort();
}

static void ask(lua_State *L, struct coroutine *co) {
  hold("in C", current(&me->stack), id_of(cctx_current()));
  hold("in C about the coroutine", seen_by(&me->stack, co), id_of(cctx_lua_current(L)));
}

static int said(lua_State *L) {
  struct coroutine *co = running(L);
  long id = lua_isnoneornil(L, 1) ? 0 : atol(lua_tostring(L, 1));
  hold("in Lua", seen_by(&me->stack, co), id);
  ask(L, co);
  return 0;
}

/* What Lua is to do next: the name of an act and its operands. */
static int tell(lua_State *L, const char *what, int a, int b, cctx *ctx) {
  lua_pushstring(L, what);
  lua_pushinteger(L, a);
  lua_pushinteger(L, b);
  if (ctx == NULL) return 3;
  cctx_lua_push(L, ctx);
  return 4;
}

static int none(lua_State *L) { return tell(L, "none", 0, 0, NULL); }

/* Three ways to work under a context for a while: run, attach, and what is bound. */
static int step_run(lua_State *L, struct coroutine *co, struct number n) {
  const char *how = n.b < 80 ? "bound" : n.b < 160 ? "hold" : "run";
  struct node *under = node(n.a);
  struct answer is;
  if (co->runs_n == RUNS || me->depth >= DEPTH) return none(L);
  me->depth++;
  TRACE("%s(%ld)", how, under->id);
  is = as(under, HANDED_OVER);
  if (how[0] != 'b') is.lifetime = lifetime_of(is, seen_by(&me->stack, co));
  begin_run(&me->stack, co, is);
  return tell(L, how, 0, 0, under->ctx);
}

static int ran(lua_State *L) {
  me->depth--;
  TRACE("the run has ended");
  end_run(&me->stack, running(L));
  return 0;
}

static int step_protect(lua_State *L, struct coroutine *co) {
  if (me->depth >= DEPTH) return none(L);
  me->depth++;
  TRACE("pcall");
  return tell(L, "protect", co->runs_n, 0, NULL);
}

/* The runs that an error has ended. */
static void end_runs(struct coroutine *co, int left) {
  for (; co->runs_n > left; me->depth--) end_run(&me->stack, co);
}

static int caught(lua_State *L) {
  end_runs(running(L), (int)lua_tointeger(L, 1));
  TRACE("the pcall has ended");
  me->depth--;
  return 0;
}

static int step_fail(lua_State *L) {
  TRACE("error");
  return tell(L, "fail", 0, 0, NULL);
}

static struct coroutine *coroutine_of(lua_State *L, int number) {
  return &state_of(L)->coroutines[number % COROUTINES];
}

static int step_create(lua_State *L, struct coroutine *co, struct number n) {
  struct coroutine *made = coroutine_of(L, n.a);
  struct answer now = seen_by(&me->stack, co);
  int how = n.b < 150 ? 1 : n.b < 200 ? 2 : 3;
  bool inherits = how == 1 || (how == 2 && state_of(L)->installed);
  if (made->life == RUNNING || has_ended(now.mark)) return none(L);
  TRACE("coroutine %d is made %s", n.a % COROUTINES, inherits ? "by cctx" : "raw");
  *made = (struct coroutine){.life = SUSPENDED};
  if (inherits && now.id) {
    made->has = true;
    made->own = now;
  }
  return tell(L, "create", n.a % COROUTINES, how, NULL);
}

static int created(lua_State *L) {
  coroutine_of(L, (int)lua_tointeger(L, 1))->L = lua_tothread(L, 2);
  return 0;
}

static int step_resume(lua_State *L, struct coroutine *co, struct number n) {
  struct coroutine *next = coroutine_of(L, n.a);
  int how = n.b < 110 ? 1 : n.b < 190 ? 2 : 3;
  bool managed = how != 3 || state_of(L)->installed;
  if (next->life != SUSPENDED || me->depth >= DEPTH) return none(L);
  me->depth++;
  TRACE("resumes coroutine %d%s", n.a % COROUTINES, managed ? "" : ", unmanaged");
  begin_resume(&me->stack, next, seen_by(&me->stack, co), managed);
  return tell(L, "resume", n.a % COROUTINES, how, NULL);
}

static void note_resumed(struct coroutine *co, bool yielded) {
  end_resume(&me->stack, co, yielded);
  TRACE("the coroutine %s", yielded ? "yielded" : "has ended");
}

static int resumed(lua_State *L) {
  struct coroutine *co = coroutine_of(L, (int)lua_tointeger(L, 1));
  bool yielded = strcmp(lua_tostring(L, 2), "suspended") == 0;
  me->depth--;
  note_resumed(co, yielded);
  return 0;
}

/* cctx_lua_resume of the coroutine at 1. */
static int resume_in_c(lua_State *L) {
  lua_State *co = lua_tothread(L, 1);
  int n;
  int status = cctx_lua_resume(co, L, 0, &n);
  lua_pop(co, status == LUA_OK || status == LUA_YIELD ? n : 1);
  return 0;
}

static int new_thread(lua_State *L) {
  lua_State *co = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  return 1;
}

static int step_close(lua_State *L, struct number n) {
  struct coroutine *co = coroutine_of(L, n.a);
  if (co->life != SUSPENDED) return none(L);
  TRACE("coroutine %d is %s", n.a % COROUTINES, n.b < 100 ? "closed" : "dropped");
  co->life = FREE;
  return tell(L, LCCTX_CLOSES && n.b < 100 ? "close" : "drop", n.a % COROUTINES, 0, NULL);
}

static int step_bind(lua_State *L, struct number n) {
  struct coroutine *co = coroutine_of(L, n.a);
  struct node *to = node(n.b);
  if (co->life != SUSPENDED) return none(L);
  TRACE("coroutine %d is bound to %ld", n.a % COROUTINES, n.b < 200 ? to->id : 0);
  bind_to(co, as(to, HANDED_OVER), n.b < 200);
  if (n.b >= 200) return tell(L, "bind", n.a % COROUTINES, 0, NULL);
  return tell(L, "bind", n.a % COROUTINES, 0, to->ctx);
}

static int bind_in_c(lua_State *L) {
  cctx_lua_bind(L, lua_tothread(L, 1), lua_isnoneornil(L, 2) ? NULL : cctx_lua_to(L, 2));
  return 0;
}

/* C that Lua has called calls Lua, with a context. */
static int step_call(lua_State *L, struct coroutine *co, struct number n) {
  struct node *under = node(n.a);
  int runs = co->runs_n;
  long serial;
  if (me->depth >= DEPTH) return none(L);
  me->depth++;
  TRACE("cctx_lua_pcall(%ld)", under->id);
  serial = push(&me->stack, as(under, INHERITED), L);
  co->inside++;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &body_key);
  if (cctx_lua_pcall(L, under->ctx, 0, 0, 0) != LUA_OK) lua_pop(L, 1);
  end_runs(co, runs);
  leave(&me->stack, serial, false);
  co->inside--;
  TRACE("the call has ended");
  me->depth--;
  return none(L);
}

static int step(lua_State *L) {
  struct coroutine *co = running(L);
  struct number n = next();
  if (!n.any) return 0;
  if (do_anywhere(n, co->main)) return none(L);
  switch (n.code / 16) {
  case 0:
  case 1: return step_create(L, co, n);
  case 2:
  case 3:
  case 4: return step_resume(L, co, n);
  case 5:
  case 6:
  case 7: return lua_isyieldable(L) ? tell(L, "yield", 0, 0, NULL) : none(L);
  case 8:
  case 9: return step_run(L, co, n);
  case 10: return step_call(L, co, n);
  case 11: return n.b < 90 ? step_fail(L) : step_protect(L, co);
  case 12: return step_close(L, n);
  case 13: return step_bind(L, n);
  case 14: return tell(L, "collect", 0, n.b / 20, NULL);
  default: return 0; /* the end of this body */
  }
}

static const luaL_Reg functions[] = {
    {"said", said},
    {"step", step},
    {"ran", ran},
    {"caught", caught},
    {"created", created},
    {"resumed", resumed},
    {"resume", resume_in_c},
    {"bind", bind_in_c},
    {"thread", new_thread},
    {NULL, NULL},
};

static int open_all(lua_State *L) {
  luaL_openlibs(L);
  cctx_lua_open(L);
  lua_pushlightuserdata(L, lua_touserdata(L, 1));
  lua_rawsetp(L, LUA_REGISTRYINDEX, &state_key);
  if (state_of(L)->installed) (void)luaL_dostring(L, "require 'cctx'.install()");
  if (luaL_loadstring(L, body) != LUA_OK) return lua_error(L);
  luaL_newlib(L, functions);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "cctx");
  lua_call(L, 1, 1);
  if (luaL_loadstring(L, hold_attached[LCCTX_CLOSES]) != LUA_OK) return lua_error(L);
  lua_call(L, 0, 1);
  lua_call(L, 3, 2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &coroutine_key);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &body_key);
  return 0;
}

static void collect_often(lua_State *L, bool by_generations) {
#if LUA_VERSION_NUM >= 504
  if (by_generations)
    lua_gc(L, LUA_GCGEN, 0, 0);
  else
    lua_gc(L, LUA_GCINC, 100, 1000, 6);
#else
  (void)by_generations;
  lua_gc(L, LUA_GCSETPAUSE, 100);
  lua_gc(L, LUA_GCSETSTEPMUL, 1000);
#endif
}

static void open_state(struct state *state, int number) {
  *state = (struct state){.L = luaL_newstate(), .installed = number == 1};
  state->main = (struct coroutine){.life = RUNNING, .main = true, .L = state->L};
  lua_pushcfunction(state->L, open_all);
  lua_pushlightuserdata(state->L, state);
  if (lua_pcall(state->L, 1, 0, 0) != LUA_OK) {
    fprintf(stderr, "hunt_lua: %s\n", lua_tostring(state->L, -1));
    exit(2);
  }
  if (number > 0) collect_often(state->L, number == 1);
}

#endif
