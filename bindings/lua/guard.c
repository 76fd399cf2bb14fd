/* SPDX-License-Identifier: Apache-2.0 */
/* A guard: a function that is stopped when its context is done, whether it asks or not.
 *
 * A count hook looks every so many instructions, and raises what check would. Code that
 * catches the error goes on until the grace has passed; from then on the hook comes
 * at every instruction, so that no pcall gets anywhere. Each coroutine has its own hook: a
 * managed resume arms the one it runs, and what is created inside inherits it. So the hook
 * looks which guards are on around it, and goes away by itself where none is: a guard is on
 * while its coroutine is running, or waits for one that it resumed.
 *
 * Only the thread that runs the state sets hooks.
 */
#include "lcctx.h"

#include <math.h>
#include <stdatomic.h>

#define LCCTX_GUARD "cctx.Guard"
#define EVERY 1000
#define GRACE (20 * CCTX_MILLISECOND)

struct guard {
  cctx *ctx;         /* owned: current when it began; NULL: it is over */
  int every;         /* instructions */
  int64_t grace;     /* ns */
  const cctx *about; /* for which it raised last, not followed; NULL: for none */
  int64_t since;     /* when it did so first */
};

static const char table_key; /* {coroutine = its innermost guard}, weak in its keys */
static const char call_key;  /* what lcctx_guard_push_call pushes */

/* Of the process: while it is 0, nobody has to look. */
static atomic_uint guards;

static void hook(lua_State *L, lua_Debug *frame);

static void set_hook(lua_State *L, int every) {
  lua_sethook(L, hook, LUA_MASKCOUNT, every);
}

static void clear_hook(lua_State *L) { lua_sethook(L, NULL, 0, 0); }

static bool is_around(lua_State *co, lua_State *L) {
  lua_Debug frame;
  return co == L || (lua_status(co) == LUA_OK && lua_getstack(co, 0, &frame));
}

/* Call `visit` for each guard that is on until it returns false. Needs 5 free slots. */
typedef bool visit_fn(struct guard *guard, void *arg);

static void visit_all(lua_State *L, bool around, visit_fn *visit, void *arg) {
  int top = lua_gettop(L);
  bool more = true;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &table_key);
  lua_pushnil(L);
  while (more && lua_next(L, top + 1)) {
    lua_State *co = lua_tothread(L, -2);
    struct guard *guard = lua_touserdata(L, -1);
    if (guard->ctx && (!around || is_around(co, L))) more = visit(guard, arg);
    lua_pop(L, 1);
  }
  lua_settop(L, top);
}

/* The same for those that are on around the code on `L`. */
static void visit_guards(lua_State *L, visit_fn *visit, void *arg) {
  visit_all(L, true, visit, arg);
}

static bool take_every(struct guard *guard, void *every) {
  if (*(int *)every == 0 || guard->every < *(int *)every) *(int *)every = guard->every;
  return true;
}

/* How often they want a look: those around the code on `L`, or also those of coroutines that
 * do not run now, which have the same hook; 0 if there are none. */
static int find_every(lua_State *L, bool around) {
  int every = 0;
  if (atomic_load(&guards) > 0 && lua_checkstack(L, 5))
    visit_all(L, around, take_every, &every);
  return every;
}

/* What was compiled calls no hook: while a guard is on, all is interpreted. */
static void stop_compiler(lua_State *L) {
  if (lcctx_jit_stop(L)) lcctx_state(L)->compiles = true;
}

static void restart_compiler(lua_State *L) {
  struct lcctx_state *state = lcctx_state(L);
  if (!state->compiles || find_every(L, false) > 0) return;
  state->compiles = false;
  lcctx_jit_start(L);
}

/* ---- The hook ---- */

struct look {
  cctx *now;          /* current */
  struct guard *last; /* a guard that is on */
  struct guard *hit;  /* one whose context is done */
};

static bool look_at(struct guard *guard, void *arg) {
  struct look *look = arg;
  look->last = guard;
  if (cctx_err(guard->ctx) != CCTX_OK) look->hit = guard;
  return look->hit == NULL;
}

static bool forget_hit(struct guard *guard, void *unused) {
  (void)unused;
  guard->about = NULL;
  return true;
}

static void raise_for(lua_State *L, struct guard *guard, cctx *ctx) {
  int64_t now = cctx_now();
  if (guard->about != ctx) {
    guard->about = ctx;
    guard->since = now;
  }
  if (now - guard->since >= guard->grace)
    lua_sethook(L, hook, LUA_MASKLINE | LUA_MASKCOUNT, 1);
  lcctx_raise(L, ctx);
}

/* What is at its beginning or its end is not interrupted: it would not be ended. */
static void hook(lua_State *L, lua_Debug *frame) {
  struct look look = {NULL, NULL, NULL};
  cctx **box;
  if (!lua_checkstack(L, 10)) return;
  if (lua_getinfo(L, "S", frame) && lcctx_is_own_line(frame)) return;
  if (atomic_load(&guards) > 0) visit_guards(L, look_at, &look);
  if (look.last == NULL) {
    if (LCCTX_ONE_HOOK && find_every(L, false) > 0) return;
    clear_hook(L);
    restart_compiler(L);
    return;
  }
  if (look.hit == NULL && cctx_err(lcctx_current(L)) == CCTX_OK) {
    visit_guards(L, forget_hit, NULL);
    if (lua_gethookmask(L) & LUA_MASKLINE) set_hook(L, look.last->every);
    return;
  }
  box = lcctx_new(L);
  *box = cctx_ref(look.hit ? look.hit->ctx : lcctx_current(L));
  raise_for(L, look.hit ? look.hit : look.last, *box);
}

/* ---- Arming ---- */

static struct guard *push_own(lua_State *L, lua_State *co) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &table_key);
  lua_pushthread(co);
  lua_xmove(co, L, 1);
  lua_rawget(L, -2);
  lua_remove(L, -2);
  return lua_touserdata(L, -1);
}

bool lcctx_guard_arm(lua_State *co) {
  int every;
  if (atomic_load_explicit(&guards, memory_order_relaxed) == 0) return false;
  if (lua_gethook(co) != NULL) return false; /* somebody's, or inherited */
  every = find_every(co, true);
  if (every > 0) set_hook(co, every);
  return every > 0;
}

void lcctx_guard_disarm(lua_State *co) {
  bool own;
  if (lua_gethook(co) != hook || !lua_checkstack(co, 3)) return;
  own = push_own(co, co) != NULL;
  lua_pop(co, 1);
  if (!own) clear_hook(co);
}

/* ---- The function ---- */

/* Stack: guard, the one around it on the same coroutine or nil, then the function and its
 * arguments, or its results. */
enum { GUARD = 1, OUTER };

static void set_own(lua_State *L, int index) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &table_key);
  lua_pushthread(L);
  lua_pushvalue(L, index);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}

static void end_guard(struct guard *guard) {
  cctx *ctx = guard->ctx;
  if (ctx) atomic_fetch_sub(&guards, 1);
  guard->ctx = NULL;
  cctx_unref(ctx);
}

static int free_guard(lua_State *L) {
  end_guard(luaL_checkudata(L, 1, LCCTX_GUARD));
  return 0;
}

/* First the hook goes, which might come before anything else is done. */
static int finish(lua_State *L, int status, lua_KContext unused) {
  struct guard *guard = lua_touserdata(L, GUARD);
  bool mine = lua_gethook(L) == hook;
  int every;
  (void)unused;
  if (mine) clear_hook(L);
  if (!lua_checkstack(L, 5)) lua_settop(L, OUTER); /* the results did not fit anyway */
  set_own(L, OUTER);
  end_guard(guard);
  every = mine ? find_every(L, !LCCTX_ONE_HOOK) : 0;
  if (every > 0) set_hook(L, every);
  restart_compiler(L);
  if (status != LUA_OK && status != LUA_YIELD) return lua_error(L);
  return lua_gettop(L) - OUTER;
}

static int refuse(lua_State *L) {
  luaL_pushfail(L);
  lua_pushliteral(L, "hook in use");
  return lcctx_results(L, 2);
}

static const struct lcctx_call a_guard = {.finish = finish, .keep = OUTER};

/* Guard the function and arguments that are all of the stack. */
static int guard_all(lua_State *L, int every, int64_t grace) {
  struct guard *guard;
  luaL_checkstack(L, 10, "too many arguments");
  guard = lua_newuserdatauv(L, sizeof *guard, 0);
  *guard = (struct guard){.every = every, .grace = grace};
  luaL_setmetatable(L, LCCTX_GUARD);
  lua_insert(L, GUARD);
  push_own(L, L);
  lua_insert(L, OUTER);
  stop_compiler(L);
  set_own(L, GUARD);
  guard->ctx = cctx_ref(lcctx_current(L));
  atomic_fetch_add(&guards, 1);
  set_hook(L, every);
  return lcctx_pcall(L, &a_guard, 0);
}

static bool is_hook_taken(lua_State *L) {
  return lua_gethook(L) != NULL && lua_gethook(L) != hook;
}

static int guard_call(lua_State *L) {
  lua_Integer every = lua_tointeger(L, 1), grace = lua_tointeger(L, 2);
  if (is_hook_taken(L)) return luaL_error(L, "hook in use");
  lua_remove(L, 1);
  lua_remove(L, 1);
  return guard_all(L, every > 0 ? (int)every : EVERY, grace >= 0 ? grace : GRACE);
}

void lcctx_guard_push_call(lua_State *L) { lua_rawgetp(L, LUA_REGISTRYINDEX, &call_key); }

static void read_options(lua_State *L, int *every, int64_t *grace) {
  luaL_checktype(L, 1, LUA_TTABLE);
  if (lua_getfield(L, 1, "every") != LUA_TNIL) {
    int is_integer;
    lua_Integer n = lua_tointegerx(L, -1, &is_integer);
    if (!is_integer || n < 1 || n > 1000000000)
      luaL_error(L, "option 'every' must be a number of instructions from 1 on");
    *every = (int)n;
  }
  lua_pop(L, 1);
  if (lcctx_field_seconds(L, 1, "grace", grace) && *grace < 0)
    luaL_error(L, "option 'grace' must not be negative");
}

/* cctx.guard([{every =, grace =},] f, ...) */
static int guard(lua_State *L) {
  int every = EVERY;
  int64_t grace = GRACE;
  if (!lua_isfunction(L, 1)) {
    if (!lua_isnil(L, 1)) read_options(L, &every, &grace);
    lua_remove(L, 1);
  }
  lcctx_check_callable(L, 1);
  if (is_hook_taken(L)) return refuse(L);
  return guard_all(L, every, grace);
}

void lcctx_guard_init(lua_State *L) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &table_key);
  luaL_newmetatable(L, LCCTX_GUARD);
  lua_pushcfunction(L, free_guard);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  lcctx_call_prepare(L, &a_guard);
  lua_pushcfunction(L, guard_call);
  lcctx_push_caller(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &call_key);
}

const luaL_Reg lcctx_guard_functions[] = {{"guard", guard}, {NULL, NULL}};
