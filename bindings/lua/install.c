/* SPDX-License-Identifier: Apache-2.0 */
/* cctx.install(): the coroutines of code that knows nothing of contexts inherit them too.
 *
 * Four functions of the library `coroutine` are replaced by ones that call what was there
 * before: create gives the slot to the coroutine which that made, wrap is built on
 * create, resume and close are brackets around theirs. What somebody replaced before, or
 * replaces after, goes on working. The undoing puts back what is still ours; where another
 * function has been put over ours, ours stays below it, and only passes on.
 */
#include "lcctx.h"

struct installation {
  unsigned count; /* how often it was asked for and not undone */
};

/* User values of an installation: what was there before, then what was put there. */
enum { CREATE = 1, WRAP, RESUME, CLOSE, NAMES = CLOSE };

/* Upvalues of each function of ours: the installation, what was there, and a flag for what
 * was there being Lua's own (resume, close) or the create of before (wrap). */
enum { INSTALLATION = 1, PREVIOUS, EXTRA, UPVALUES = EXTRA };

static const char *const names[] = {"", "create", "wrap", "resume", "close"};
static const char installation_key;

static bool is_on(lua_State *L) {
  const struct installation *it = lua_touserdata(L, lua_upvalueindex(INSTALLATION));
  return it->count > 0;
}

/* ---- The functions ---- */

static int pass_on(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(PREVIOUS));
  lua_insert(L, 1);
  return lcctx_tail_call(L);
}

static int create(lua_State *L) {
  lua_State *co;
  int n = lua_gettop(L);
  if (!is_on(L)) return pass_on(L);
  lua_pushvalue(L, lua_upvalueindex(PREVIOUS));
  lua_insert(L, 1);
  lua_call(L, n, LUA_MULTRET);
  co = lua_tothread(L, 1);
  if (co != NULL) lcctx_inherit(L, co);
  return lcctx_results(L, lua_gettop(L));
}

static int wrap(lua_State *L) {
  if (!is_on(L)) return pass_on(L);
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_pushvalue(L, lua_upvalueindex(EXTRA));
  lua_insert(L, 1);
  lua_call(L, 1, 1);
  if (lua_tothread(L, 1) == NULL)
    return luaL_error(L, "what coroutine.create was before cctx.install made no coroutine");
  lcctx_inherit(L, lua_tothread(L, 1));
  lua_pushcclosure(L, lcctx_coroutine_call, 1);
  return lcctx_results(L, 1);
}

/* Of a function that is not Lua's own. Stack: the coroutine, then its results. */
static int finish(lua_State *L, int status, lua_KContext id) {
  lua_State *co = lua_tothread(L, 1);
  if (lcctx_end_for(L, co, id) == CCTX_ENOMEM) return lcctx_no_memory(L);
  if (status != LUA_OK && status != LUA_YIELD) return lua_error(L);
  return lua_gettop(L) - 1;
}

static const struct lcctx_call a_resume = {.finish = finish, .keep = 1};

/* Call what was there for the coroutine at 1, with its context. If L was resumed in a way
 * unknown to us, a yield of that function would leave the context on the thread; and in 5.1 it
 * could not yield: then C code sees what it saw before. */
static int call_for(lua_State *L) {
  lua_State *co = lua_tothread(L, 1);
  if (!lcctx_is_idle(co)) return pass_on(L); /* which says why not */
  if (lua_isyieldable(L) &&
      !(LCCTX_PCALL_YIELDS && lcctx_managed(L, lcctx_slot_find(L, NULL))))
    return pass_on(L);
  luaL_checkstack(L, 10, "too many arguments");
  lua_pushvalue(L, 1);
  lua_insert(L, 1);
  lua_pushvalue(L, lua_upvalueindex(PREVIOUS));
  lua_insert(L, 2);
  return lcctx_pcall(L, &a_resume, lcctx_begin_for(L, co));
}

static int resume(lua_State *L) {
  if (!is_on(L) || lua_tothread(L, 1) == NULL || lua_tothread(L, 1) == L) return pass_on(L);
  if (!lua_toboolean(L, lua_upvalueindex(EXTRA))) return call_for(L);
  return lcctx_results(L, lcctx_coroutine_resume(L));
}

static int close_one(lua_State *L) {
  if (!is_on(L) || lua_tothread(L, 1) == NULL || lua_tothread(L, 1) == L) return pass_on(L);
  if (!lua_toboolean(L, lua_upvalueindex(EXTRA))) return call_for(L);
  return lcctx_results(L, lcctx_coroutine_close(L));
}

/* ---- Putting them there, and back ---- */

static void push_library(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, "coroutine") != LUA_TTABLE)
    luaL_error(L, "this Lua state has no library 'coroutine' to install to");
  lua_remove(L, -2);
}

/* Stack: library, installation. Prepares one function; nothing is changed yet. */
static void prepare(lua_State *L, int name) {
  static const lua_CFunction functions[] = {NULL, create, wrap, resume, close_one};
  bool own;
  if (lua_getfield(L, 1, names[name]) != LUA_TFUNCTION) { /* a sandbox took it out */
    lua_pop(L, 1);
    return;
  }
  own = lcctx_is_own_function(L, names[name]);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, 3);
  if (name == WRAP)
    lua_getfield(L, 1, names[CREATE]);
  else
    lua_pushboolean(L, own);
  lua_pushcclosure(L, functions[name], UPVALUES);
  lcctx_push_caller(L);
  lua_setiuservalue(L, 2, NAMES + name);
  lua_setiuservalue(L, 2, name);
}

/* Needs no memory: each name is there already. */
static void put(lua_State *L, int name) {
  lua_pushstring(L, names[name]);
  if (lua_getiuservalue(L, 2, NAMES + name) == LUA_TNIL)
    lua_pop(L, 2);
  else
    lua_rawset(L, 1);
}

static void put_back(lua_State *L, int name) {
  bool ours;
  lua_getfield(L, 1, names[name]);
  lua_getiuservalue(L, 2, NAMES + name);
  ours = !lua_isnil(L, -1) && lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  if (!ours) return;
  lua_pushstring(L, names[name]);
  lua_getiuservalue(L, 2, name);
  lua_rawset(L, 1);
}

/* What install returns; the second time it does nothing. */
static int uninstall(lua_State *L) {
  struct installation *it = lua_touserdata(L, lua_upvalueindex(1));
  if (lua_toboolean(L, lua_upvalueindex(2))) return 0;
  lua_settop(L, 0);
  push_library(L);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushboolean(L, 1);
  lua_replace(L, lua_upvalueindex(2));
  if (--it->count > 0) return 0;
  for (int name = CREATE; name <= NAMES; name++) put_back(L, name);
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &installation_key);
  return 0;
}

static void make_installation(lua_State *L) {
  struct installation *it = lua_newuserdatauv(L, sizeof *it, 2 * NAMES);
  it->count = 0;
  for (int name = CREATE; name <= NAMES; name++) prepare(L, name);
}

/* cctx.install() -> function that undoes it */
static int install(lua_State *L) {
  struct installation *it;
  lua_settop(L, 0);
  push_library(L);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &installation_key) == LUA_TNIL) {
    lua_pop(L, 1);
    make_installation(L);
  }
  it = lua_touserdata(L, 2);
  lua_pushvalue(L, 2);
  lua_pushboolean(L, 0);
  lua_pushcclosure(L, uninstall, 2);
  if (it->count == 0) {
    lua_pushvalue(L, 2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &installation_key);
    for (int name = CREATE; name <= NAMES; name++) put(L, name);
  }
  it->count++;
  return 1;
}

void lcctx_install_init(lua_State *L) { lcctx_call_prepare(L, &a_resume); }

const luaL_Reg lcctx_install_functions[] = {{"install", install}, {NULL, NULL}};
