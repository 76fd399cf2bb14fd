/* SPDX-License-Identifier: Apache-2.0 */
/* The context as a Lua object: a userdata that owns one reference, or none any more. */
#include "lcctx.h"

#include <stdio.h>

/* Their addresses are keys of the registry: reading one needs no memory. */
static const char metatable_key, no_memory_key, late_key;

/* Lua finalizes nothing that finalizers make while it closes. So what is made in one is
 * noted in a table, weak in its values, through which the state goes at its end. */
static void note_late(lua_State *L, const void *box) {
  if (lcctx_state(L)->closed) luaL_error(L, "this Lua state is being closed");
  lua_rawgetp(L, LUA_REGISTRYINDEX, &late_key);
  lua_pushvalue(L, -2);
  lua_rawsetp(L, -2, box);
  lua_pop(L, 1);
}

void lcctx_free_late(lua_State *L) {
  lua_settop(L, 0);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &late_key) != LUA_TTABLE) return;
  for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
    cctx **box = lua_touserdata(L, -1), *ctx = *box;
    *box = NULL;
    cctx_unref(ctx);
  }
}

cctx **lcctx_new(lua_State *L) {
  cctx **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
  lua_setmetatable(L, -2);
  if (lcctx_may_finalize(L)) note_late(L, box);
  return box;
}

void lcctx_push(lua_State *L, cctx *ctx) { *lcctx_new(L) = cctx_ref(ctx); }

static cctx **to_box(lua_State *L, int index) {
  void *box = lua_touserdata(L, index);
  bool same;
  if (box == NULL || !lua_getmetatable(L, index)) return NULL;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
  same = lua_rawequal(L, -1, -2) != 0;
  lua_pop(L, 2);
  return same ? box : NULL;
}

cctx *lcctx_to(lua_State *L, int index) {
  cctx **box = to_box(L, index);
  return box ? *box : NULL;
}

cctx *lcctx_check(lua_State *L, int arg) {
  cctx **box = to_box(L, arg);
  if (box == NULL) luaL_typeerror(L, arg, LCCTX_CONTEXT);
  if (*box == NULL) luaL_error(L, "attempt to use a closed context");
  return *box;
}

cctx *lcctx_parent(lua_State *L, int arg) {
  cctx *ctx = lcctx_check(L, arg);
  if (cctx_strict(CCTX_STRICT_ASK) && cctx_has_ended(ctx)) lcctx_note_place(L);
  return ctx;
}

cctx *lcctx_subject(lua_State *L, int self) {
  return self ? lcctx_check(L, self) : lcctx_current(L);
}

cctx *lcctx_kept_subject(lua_State *L, int self) {
  return LCCTX_COLLECTS_FIRST ? lcctx_hold(L, self) : lcctx_subject(L, self);
}

cctx *lcctx_hold(lua_State *L, int self) {
  cctx **box = lcctx_new(L);
  return *box = cctx_ref(lcctx_subject(L, self));
}

int lcctx_give(lua_State *L, cctx **box, cctx *child) {
  if (child == NULL) return lcctx_no_memory(L);
  *box = child;
  return 1;
}

void lcctx_push_no_memory(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &no_memory_key);
}

int lcctx_no_memory(lua_State *L) {
  if (!lua_checkstack(L, 1)) lua_settop(L, 0); /* makes room */
  lcctx_push_no_memory(L);
  return lua_error(L);
}

/* __gc and __close alike; a second time there is nothing left to do. */
static int close_context(lua_State *L) {
  cctx **box = to_box(L, 1);
  cctx *ctx;
  if (box == NULL) return luaL_typeerror(L, 1, LCCTX_CONTEXT);
  ctx = *box;
  *box = NULL;
  cctx_unref(ctx);
  return 0;
}

static int is_same(lua_State *L) {
  cctx *a = lcctx_to(L, 1);
  lua_pushboolean(L, a != NULL && a == lcctx_to(L, 2));
  return 1;
}

static int describe(lua_State *L) {
  char text[64];
  cctx *ctx = lcctx_to(L, 1);
  int status = ctx ? cctx_err(ctx) : 0;
  int64_t left = ctx ? cctx_remaining(ctx) : 0;
  if (ctx == NULL)
    snprintf(text, sizeof text, "closed");
  else if (status != 0)
    snprintf(text, sizeof text, "done (%s)", cctx_status_word(status));
  else if (left != CCTX_NEVER)
    snprintf(text, sizeof text, "deadline in %.3fs", (double)left / (double)CCTX_SECOND);
  else if (ctx == cctx_background() || ctx == cctx_todo())
    snprintf(text, sizeof text, "%s", ctx == cctx_todo() ? "todo" : "background");
  else
    snprintf(text, sizeof text, "no deadline");
  lua_pushfstring(L, LCCTX_CONTEXT ": %s", text);
  return 1;
}

static const luaL_Reg metamethods[] = {
    {"__gc", close_context},
    {"__close", close_context},
    {"__eq", is_same},
    {"__tostring", describe},
    {NULL, NULL},
};

void lcctx_context_init(lua_State *L) {
  lua_pushliteral(L, "not enough memory");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &no_memory_key);
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &late_key);
  luaL_newmetatable(L, LCCTX_CONTEXT);
  luaL_setfuncs(L, metamethods, 0);
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &metatable_key);
}

/* ---- Where a script gets its first context from ---- */

static int background(lua_State *L) {
  lcctx_push(L, cctx_background());
  return 1;
}

static int todo(lua_State *L) {
  lcctx_push(L, cctx_todo());
  return 1;
}

static int current(lua_State *L) {
  lcctx_hold(L, 0);
  return 1;
}

static int alive(lua_State *L) {
  lcctx_export_expire();
  lua_pushinteger(L, (lua_Integer)cctx_alive());
  return 1;
}

const luaL_Reg lcctx_root_functions[] = {
    {"background", background}, {"todo", todo}, {"current", current},
    {"alive", alive},           {NULL, NULL},
};
