/* SPDX-License-Identifier: Apache-2.0 */
/* Locals: variables of which each coroutine has a value of its own.
 *
 * The values of a coroutine are a table in the user value of its slot, from variable to
 * value. A coroutine inherits that table itself, not a copy; so once it is shared it is
 * never written again, and the next set makes a copy first. That is also how a scope of
 * locals ends without memory: the table of its beginning is put back.
 */
#include "lcctx.h"

#define LCCTX_VAR "cctx.Var"

/* Of a variable: its user values. */
enum { NAME = 1, DEFAULT };

/* The last two are keys of registry and table; the first stands for a stored nil. */
static const char nil_value, weak_key, shared_key;

/* ---- The table of a coroutine ---- */

static bool push_table(lua_State *L) {
  const struct lcctx_slot *slot = lcctx_slot_push(L, L);
  if (slot == NULL || !slot->has_locals) {
    lua_pop(L, 1);
    return false;
  }
  lua_getiuservalue(L, -1, 1);
  lua_remove(L, -2);
  return true;
}

/* Make the table at the top that of `co`, and pop it; nil for none. The slot is there. */
static void set_table(lua_State *L, lua_State *co) {
  struct lcctx_slot *slot = lcctx_slot_push(L, co);
  slot->has_locals = !lua_isnil(L, -2);
  lua_insert(L, -2);
  lua_setiuservalue(L, -2, 1);
  lua_pop(L, 1);
}

/* The key is there already, so that this needs no memory. */
static void mark_shared(lua_State *L) {
  lua_pushboolean(L, 1);
  lua_rawsetp(L, -2, &shared_key);
}

static bool is_shared(lua_State *L) {
  bool shared;
  lua_rawgetp(L, -1, &shared_key);
  shared = lua_toboolean(L, -1) != 0;
  lua_pop(L, 1);
  return shared;
}

static void push_new_table(lua_State *L) {
  lua_newtable(L);
  lua_pushboolean(L, 0);
  lua_rawsetp(L, -2, &shared_key);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &weak_key);
  lua_setmetatable(L, -2);
}

/* A table that may be written, with what L has. */
static void push_own_table(lua_State *L) {
  bool has = push_table(L);
  if (has && !is_shared(L)) return;
  push_new_table(L);
  if (!has) return;
  for (lua_pushnil(L); lua_next(L, -3);) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    if (lua_islightuserdata(L, -2))
      lua_pop(L, 2); /* not the mark */
    else
      lua_rawset(L, -4);
  }
  lua_remove(L, -2);
}

void lcctx_locals_push(lua_State *L) {
  if (push_table(L))
    mark_shared(L);
  else
    lua_pushnil(L);
}

void lcctx_locals_restore(lua_State *L, int index) {
  struct lcctx_slot *slot = lcctx_slot_find(L, NULL);
  if (slot == NULL) return;
  if (!lua_checkstack(L, 3)) {
    slot->has_locals = false; /* rather none than those of another */
    return;
  }
  lua_pushvalue(L, index);
  set_table(L, L);
}

void lcctx_locals_inherit(lua_State *L, lua_State *co) {
  luaL_checkstack(L, 5, "no room for a coroutine's locals");
  lcctx_locals_push(L);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lcctx_locals_clear(co);
    return;
  }
  lcctx_slot_need(L, co);
  set_table(L, co);
}

void lcctx_locals_clear(lua_State *co) {
  struct lcctx_slot *slot = lcctx_slot_find(co, NULL);
  if (slot == NULL || !slot->has_locals) return;
  slot->has_locals = false;
  if (!lua_checkstack(co, 3)) return; /* then it stays for the collector */
  lua_pushnil(co);
  set_table(co, co);
}

/* ---- The variables ---- */

static void check_var(lua_State *L) {
  luaL_checkudata(L, 1, LCCTX_VAR);
  luaL_checkstack(L, 8, NULL);
}

static void set_value(lua_State *L, int index) {
  lcctx_slot_need(L, L);
  push_own_table(L);
  lua_pushvalue(L, 1);
  if (lua_isnil(L, index))
    lua_pushlightuserdata(L, (void *)&nil_value);
  else
    lua_pushvalue(L, index);
  lua_rawset(L, -3);
  set_table(L, L);
}

/* var:get() */
static int get(lua_State *L) {
  check_var(L);
  if (!push_table(L)) {
    lua_getiuservalue(L, 1, DEFAULT);
    return 1;
  }
  lua_pushvalue(L, 1);
  if (lua_rawget(L, -2) == LUA_TNIL)
    lua_getiuservalue(L, 1, DEFAULT);
  else if (lua_touserdata(L, -1) == &nil_value)
    lua_pushnil(L);
  return 1;
}

/* var:set(value) */
static int set(lua_State *L) {
  check_var(L);
  luaL_checkany(L, 2);
  set_value(L, 2);
  return 0;
}

/* Stack: variable, the table of before, then the results or the error. */
static int finish(lua_State *L, int status, lua_KContext unused) {
  (void)unused;
  lcctx_locals_restore(L, 2);
  if (status != LUA_OK && status != LUA_YIELD) return lua_error(L);
  return lua_gettop(L) - 2;
}

static const struct lcctx_call a_with = {.finish = finish, .keep = 2, .may_die = true};

/* var:with(value, f, ...) */
static int with(lua_State *L) {
  check_var(L);
  luaL_checkany(L, 2);
  lcctx_check_callable(L, 3);
  lcctx_locals_push(L);
  lua_insert(L, 3);
  set_value(L, 2);
  lua_remove(L, 2);
  return lcctx_pcall(L, &a_with, 0);
}

static int describe(lua_State *L) {
  luaL_checkudata(L, 1, LCCTX_VAR);
  lua_getiuservalue(L, 1, NAME);
  lua_pushfstring(L, LCCTX_VAR ": %s", lua_tostring(L, -1));
  return 1;
}

/* cctx.var(name [, default]) */
static int var(lua_State *L) {
  lcctx_check_text(L, 1, NULL);
  lua_settop(L, 2);
  lua_newuserdatauv(L, 0, 2);
  luaL_setmetatable(L, LCCTX_VAR);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, 3, NAME);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, 3, DEFAULT);
  return 1;
}

/* Weak in its keys, so that a variable nobody has any more goes with its values. */
void lcctx_local_init(lua_State *L) {
  static const luaL_Reg methods[] = {{"get", get}, {"set", set}, {NULL, NULL}};
  static const luaL_Reg callers[] = {{"with", with}, {NULL, NULL}};
  lcctx_call_prepare(L, &a_with);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &weak_key);
  luaL_newmetatable(L, LCCTX_VAR);
  lua_pushcfunction(L, describe);
  lua_setfield(L, -2, "__tostring");
  luaL_newlib(L, methods);
  lcctx_set_callers(L, callers);
  lua_setfield(L, -2, "__index");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
}

const luaL_Reg lcctx_local_functions[] = {{"var", var}, {NULL, NULL}};
