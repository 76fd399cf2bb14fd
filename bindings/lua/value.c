/* SPDX-License-Identifier: Apache-2.0 */
/* Values: what Lua can store and how it reads what others stored. */
#include "lcctx.h"

#include <string.h>

void lcctx_push_value(lua_State *L, const cctx_variant *value) {
  switch (value->type) {
  case CCTX_NIL: lua_pushnil(L); break;
  case CCTX_BOOL: lua_pushboolean(L, value->as.b); break;
  case CCTX_INT: lcctx_push_integer(L, value->as.i); break;
  case CCTX_DOUBLE: lua_pushnumber(L, value->as.d); break;
  case CCTX_STRING: lua_pushlstring(L, value->as.s.bytes, value->as.s.len); break;
  case CCTX_POINTER: lua_pushlightuserdata(L, value->as.p.ptr); break;
  }
}

int lcctx_to_value(lua_State *L, int index, cctx_variant *out) {
  size_t len;
  const char *bytes;
  switch (lua_type(L, index)) {
  case LUA_TNIL: *out = cctx_nil(); return CCTX_OK;
  case LUA_TBOOLEAN: *out = cctx_bool(lua_toboolean(L, index) != 0); return CCTX_OK;
  case LUA_TNUMBER:
    *out = lua_isinteger(L, index) ? cctx_int(lua_tointeger(L, index))
                                   : cctx_double(lua_tonumber(L, index));
    return CCTX_OK;
  case LUA_TSTRING:
    bytes = lua_tolstring(L, index, &len);
    *out = cctx_bytes(bytes, len);
    return CCTX_OK;
  default: return CCTX_EINVAL;
  }
}

const char *lcctx_check_text(lua_State *L, int arg, size_t *len) {
  luaL_checktype(L, arg, LUA_TSTRING);
  return lua_tolstring(L, arg, len);
}

/* ---- Reading ---- */

/* The key named at `arg`, or NULL: a name with a NUL is nobody's. Adds no name. */
static const cctx_key *find_key(lua_State *L, int arg) {
  size_t len;
  const char *name = lcctx_check_text(L, arg, &len);
  return strlen(name) == len ? cctx_key_find(name) : NULL;
}

/* value(key) -> value, whether there is one: a stored nil is one */
static int value(lua_State *L, int self) {
  const cctx *ctx = lcctx_subject(L, self);
  const cctx_key *key = find_key(L, self + 1);
  cctx_variant found;
  int status;
  ctx = lcctx_kept_subject(L, self);
  status = cctx_value(ctx, key, &found);
  if (status == CCTX_OK)
    lcctx_push_value(L, &found);
  else
    lua_pushnil(L);
  lua_pushboolean(L, status == CCTX_OK);
  return 2;
}
LCCTX_READER(value)

/* ---- Storing ---- */

/* The name at the top or below, checked to be one that can be a key's. */
static const char *check_name(lua_State *L, int index) {
  size_t len = 0;
  const char *name =
      lua_type(L, index) == LUA_TSTRING ? lua_tolstring(L, index, &len) : NULL;
  if (name == NULL)
    luaL_error(L, "the name of a value must be a string, not a %s",
               luaL_typename(L, index));
  if (len == 0 || len > CCTX_KEY_NAME_MAX || strlen(name) != len)
    luaL_error(L, "the name of a value must have 1 to %d characters and no NUL",
               CCTX_KEY_NAME_MAX);
  return name;
}

static void check_value(lua_State *L, int index, const char *name, cctx_variant *out) {
  if (lcctx_to_value(L, index, out) != CCTX_OK)
    luaL_error(L,
               "value '%s' is a %s: a context stores nil, booleans, numbers and strings; "
               "keep anything else in a local or an upvalue of the function that is run",
               name, luaL_typename(L, index));
}

void lcctx_check_entry(lua_State *L, int name, int value, cctx_variant *out) {
  check_value(L, value, check_name(L, name), out);
}

cctx_key *lcctx_intern(lua_State *L, const char *name) {
  cctx_key *key = cctx_key_named(name);
  if (key == NULL)
    luaL_error(L,
               "no room for the name of value '%s': out of memory, or %d names are in use",
               name, CCTX_KEY_NAMES_MAX);
  return key;
}

/* ctx:with_value(key, value) */
static int with_value(lua_State *L) {
  cctx_variant stored;
  cctx_key *key;
  cctx **box;
  const char *name;
  lcctx_check(L, 1);
  name = check_name(L, 2);
  luaL_checkany(L, 3);
  check_value(L, 3, name, &stored);
  box = lcctx_new(L);
  key = lcctx_intern(L, name);
  return lcctx_give(L, box, cctx_with_value(lcctx_parent(L, 1), key, stored));
}

/* Fill in the entries of the table at 2: all are checked before the first name is added.
 * Allocates nothing of Lua's, so the table stays as it was counted, and its strings too. */
static size_t fill_entries(lua_State *L, struct cctx_entry *entries, size_t n) {
  size_t i = 0;
  for (lua_pushnil(L); i < n && lua_next(L, 2); lua_pop(L, 1), i++)
    check_value(L, -1, check_name(L, -2), &entries[i].value);
  lua_settop(L, 4);
  i = 0;
  for (lua_pushnil(L); i < n && lua_next(L, 2); lua_pop(L, 1), i++)
    entries[i].key = lcctx_intern(L, lua_tostring(L, -2));
  lua_settop(L, 4);
  return i;
}

/* ctx:with_values{key = value, ...} */
static int with_values(lua_State *L) {
  struct cctx_entry *entries;
  cctx **box;
  size_t n = 0;
  lcctx_check(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) n++;
  entries = lua_newuserdatauv(L, (n + 1) * sizeof *entries, 0);
  box = lcctx_new(L);
  n = fill_entries(L, entries, n);
  return lcctx_give(L, box, cctx_with_values(lcctx_parent(L, 1), entries, n));
}

const luaL_Reg lcctx_value_methods[] = {
    {"value", value_of},
    {"with_value", with_value},
    {"with_values", with_values},
    {NULL, NULL},
};
const luaL_Reg lcctx_value_functions[] = {{"value", value_now}, {NULL, NULL}};
