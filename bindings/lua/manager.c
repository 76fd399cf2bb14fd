/* SPDX-License-Identifier: Apache-2.0 */
/* Managers: sessions by ids of the host's. */
#include "lcctx.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LCCTX_MANAGER "cctx.SessionManager"

struct manager {
  cctx_manager *manager; /* owned; NULL: the default one */
  bool is_open;
};

static struct manager *check(lua_State *L) {
  struct manager *self = luaL_checkudata(L, 1, LCCTX_MANAGER);
  if (!self->is_open) luaL_error(L, "attempt to use a closed session manager");
  return self;
}

static struct manager *push(lua_State *L) {
  struct manager *self = lua_newuserdatauv(L, sizeof *self, 0);
  *self = (struct manager){NULL, false};
  luaL_setmetatable(L, LCCTX_MANAGER);
  return self;
}

/* ---- Making ------------------------------------------------------------------------ */

static void check_names(lua_State *L) {
  static const char *const names[] = {"shards", "gc_interval", "max_age", "thread", NULL};
  for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
    const char *const *known = names;
    while (*known && strcmp(*known, name) != 0) known++;
    if (*known == NULL)
      luaL_error(L,
                 "unknown option '%s' of a session manager: it has shards, gc_interval, "
                 "max_age and thread",
                 name);
  }
}

static void read_options(lua_State *L, struct cctx_manager_options *out) {
  check_names(L);
  if (lua_getfield(L, 1, "shards") != LUA_TNIL) {
    lua_Integer shards = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;
    out->shards = shards > 0 && shards <= CCTX_SHARDS_MAX ? (int)shards : 0;
  }
  lua_getfield(L, 1, "thread");
  out->thread = lua_toboolean(L, -1) != 0;
  lcctx_field_seconds(L, 1, "gc_interval", &out->gc_interval);
  lcctx_field_seconds(L, 1, "max_age", &out->max_age);
}

/* cctx.session_manager([options]) */
static int session_manager(lua_State *L) {
  struct cctx_manager_options options = CCTX_MANAGER_OPTIONS;
  struct manager *self;
  int status;
  if (!lua_isnoneornil(L, 1)) {
    luaL_checktype(L, 1, LUA_TTABLE);
    read_options(L, &options);
  }
  self = push(L);
  status = cctx_manager_new(&self->manager, &options);
  if (status == CCTX_ENOMEM) return lcctx_no_memory(L);
  if (status != CCTX_OK)
    return luaL_error(L,
                      "shards must be from 1 to %d, gc_interval and max_age not negative",
                      CCTX_SHARDS_MAX);
  self->is_open = true;
  return 1;
}

/* cctx.default_session_manager(), which C code uses too */
static int default_session_manager(lua_State *L) {
  push(L)->is_open = true;
  return 1;
}

static int close_manager(lua_State *L) {
  struct manager *self = luaL_checkudata(L, 1, LCCTX_MANAGER);
  if (!self->is_open) return 0;
  self->is_open = self->manager == NULL; /* the default one is made anew */
  cctx_manager_close(self->manager);
  return 0;
}

/* Of a collected or closed variable: the default one is not this object's. */
static int free_manager(lua_State *L) {
  struct manager *self = luaL_checkudata(L, 1, LCCTX_MANAGER);
  return self->manager ? close_manager(L) : 0;
}

/* ---- Bindings ------------------------------------------------------------------------ */

/* Whether numbers tell all integers apart, as they do not where all of them are doubles. */
static bool has_integers(lua_State *L) {
  const lua_Integer big = ((lua_Integer)1 << 53) + 1;
  bool same;
  lua_pushinteger(L, big);
  same = lua_tointeger(L, -1) == big;
  lua_pop(L, 1);
  return same;
}

static bool to_id(lua_State *L, int arg, long long *id) {
  lua_Number number = lua_tonumber(L, arg);
  if (lua_type(L, arg) == LUA_TSTRING) {
    size_t len;
    const char *text = lua_tolstring(L, arg, &len);
    char *end;
    errno = 0;
    *id = strtoll(text, &end, 10);
    return len > 0 && end == text + len && errno == 0;
  }
  if (lua_type(L, arg) != LUA_TNUMBER) return false;
  if (fabs(number) < 0x1p53 && floor(number) == number) {
    *id = (long long)number;
    return true;
  }
  *id = lua_tointeger(L, arg);
  return lua_isinteger(L, arg) && has_integers(L);
}

/* The id or token at `arg`. A number that may stand for several integers is none: what is bound to
 * one of them is not what was asked for. Those are told by a string of their digits. */
static uint64_t check_id(lua_State *L, int arg) {
  long long id = 0;
  if (!to_id(L, arg, &id))
    luaL_argerror(L, arg, "an id is an integer, or a string of the digits of one");
  return (uint64_t)id;
}

/* manager:bind(id, ctx) -> token */
static int bind(lua_State *L) {
  struct manager *self = check(L);
  uint64_t serial, id = check_id(L, 2);
  switch (cctx_manager_bind(self->manager, id, lcctx_check(L, 3), &serial)) {
  case CCTX_OK: lcctx_push_integer(L, (int64_t)serial); return 1;
  case CCTX_ENOMEM: return lcctx_no_memory(L);
  default:
    return luaL_error(L, "this context belongs to no session: with_session, cctx.backup "
                         "or cctx.request makes one");
  }
}

static int get(lua_State *L) {
  uint64_t id = check_id(L, 2);
  cctx **box;
  check(L);
  box = lcctx_new(L);
  *box = cctx_manager_get(check(L)->manager, id, NULL);
  if (*box == NULL) lua_pushnil(L);
  return 1;
}

static int state(lua_State *L) {
  uint64_t id = check_id(L, 2);
  int found;
  cctx_unref(cctx_manager_get(check(L)->manager, id, &found));
  lua_pushstring(L, cctx_session_state_word(found));
  return 1;
}

/* manager:unbind(id [, token]) -> whether there was such a binding */
static int unbind(lua_State *L) {
  uint64_t id = check_id(L, 2);
  uint64_t serial = lua_isnoneornil(L, 3) ? 0 : check_id(L, 3);
  lua_pushboolean(L, cctx_manager_unbind(check(L)->manager, id, serial) == CCTX_OK);
  return 1;
}

static int sweep(lua_State *L) {
  lcctx_push_integer(L, (int64_t)cctx_manager_sweep(check(L)->manager));
  return 1;
}

static int stats(lua_State *L) {
  struct cctx_manager_stats found;
  cctx_manager_stats(check(L)->manager, &found);
  lua_createtable(L, 0, 3);
  lcctx_push_integer(L, (int64_t)found.bound);
  lua_setfield(L, -2, "bound");
  lcctx_push_integer(L, (int64_t)found.swept);
  lua_setfield(L, -2, "swept");
  lcctx_push_integer(L, (int64_t)found.stale);
  lua_setfield(L, -2, "stale");
  return 1;
}

static int describe(lua_State *L) {
  const struct manager *self = luaL_checkudata(L, 1, LCCTX_MANAGER);
  lua_pushfstring(L, LCCTX_MANAGER ": %s",
                  !self->is_open  ? "closed"
                  : self->manager ? "open"
                                  : "default");
  return 1;
}

void lcctx_manager_init(lua_State *L) {
  static const luaL_Reg metamethods[] = {{"__gc", free_manager},
                                         {"__close", free_manager},
                                         {"__tostring", describe},
                                         {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"bind", bind},   {"get", get},     {"state", state},         {"unbind", unbind},
      {"sweep", sweep}, {"stats", stats}, {"close", close_manager}, {NULL, NULL}};
  luaL_newmetatable(L, LCCTX_MANAGER);
  luaL_setfuncs(L, metamethods, 0);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
}

const luaL_Reg lcctx_manager_functions[] = {
    {"session_manager", session_manager},
    {"default_session_manager", default_session_manager},
    {NULL, NULL},
};
