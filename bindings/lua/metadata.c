/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata: pairs of strings that may leave the process with the request. */
#include "lcctx.h"

#include <stdio.h>
#include <string.h>

/* A name for a message: cut, since it may be anything. */
static int complain(lua_State *L, const char *name, const char *what) {
  char shown[72];
  snprintf(shown, sizeof shown, "%.64s%s", name, strlen(name) > 64 ? "..." : "");
  return luaL_error(L, "metadata '%s' %s", shown, what);
}

/* Raise what is wrong with a pair; what is not is returned. */
static int check_status(lua_State *L, int status, const char *name) {
  switch (status) {
  case CCTX_EINVAL:
    return complain(L, name,
                    "has a name that is no HTTP token: 1 to 255 characters, each a letter, "
                    "a digit or one of !#$%&'*+-.^_`|~");
  case CCTX_ETOOBIG: {
    char what[96];
    snprintf(what, sizeof what,
             "is over a budget: a context has at most %d pairs of %d bytes",
             CCTX_METADATA_PAIRS_MAX, CCTX_METADATA_BYTES_MAX);
    return complain(L, name, what);
  }
  case CCTX_ENOMEM: return lcctx_no_memory(L);
  default: return status;
  }
}

static enum cctx_metadata_scope read_scope(lua_State *L, int index, const char *name,
                                           enum cctx_metadata_scope otherwise) {
  const char *word = lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index) : "";
  if (lua_isnoneornil(L, index)) return otherwise;
  for (int i = CCTX_HOP; i <= CCTX_UPSTREAM; i++)
    if (strcmp(word, cctx_metadata_scope_word(i)) == 0) return (enum cctx_metadata_scope)i;
  complain(L, name, "has an unknown scope: use \"hop\", \"request\" or \"upstream\"");
  return otherwise;
}

/* ---- Reading ---- */

/* The scope at `index`, or -1 for any. */
static int read_scope_or_any(lua_State *L, int index, const char *name) {
  return lua_isnoneornil(L, index) ? -1 : (int)read_scope(L, index, name, CCTX_REQUEST);
}

/* (name [, scope]) -> value or nil */
static int metadata(lua_State *L, int self) {
  const cctx *ctx = lcctx_subject(L, self);
  size_t name_len, len = 0;
  const char *name = lcctx_check_text(L, self + 1, &name_len);
  int scope = read_scope_or_any(L, self + 2, name);
  const char *found;
  ctx = lcctx_kept_subject(L, self);
  found = strlen(name) == name_len ? cctx_metadata(ctx, name, &len) : NULL;
  if (found == NULL || (scope >= 0 && cctx_metadata_scope(ctx, name) != scope))
    lua_pushnil(L);
  else
    lua_pushlstring(L, found, len);
  return 1;
}
LCCTX_READER(metadata)

/* (name) -> scope or nil */
static int metadata_scope(lua_State *L, int self) {
  const cctx *ctx = lcctx_subject(L, self);
  size_t len;
  const char *name = lcctx_check_text(L, self + 1, &len);
  int scope = strlen(name) == len ? cctx_metadata_scope(ctx, name) : CCTX_ENOTFOUND;
  lua_pushstring(L, cctx_metadata_scope_word(scope)); /* nil for what is no scope */
  return 1;
}
LCCTX_READER(metadata_scope)

static void push_pair(lua_State *L, const struct cctx_metadata_pair *pair) {
  lua_createtable(L, 0, 3);
  lua_pushstring(L, pair->name);
  lua_setfield(L, -2, "name");
  lua_pushlstring(L, pair->value, pair->len);
  lua_setfield(L, -2, "value");
  lua_pushstring(L, cctx_metadata_scope_word((int)pair->scope));
  lua_setfield(L, -2, "scope");
}

/* ([scope]) -> list of {name, value, scope} */
static int metadata_pairs(lua_State *L, int self) {
  struct cctx_metadata_pair pair;
  lua_Integer n = 0;
  int scope = read_scope_or_any(L, self + 1, "");
  const cctx *ctx = lcctx_hold(L, self);
  lua_createtable(L, scope < 0 ? (int)cctx_metadata_count(ctx) : 0, 0);
  for (size_t i = 0; cctx_metadata_at(ctx, i, &pair) == CCTX_OK; i++) {
    if (scope >= 0 && (int)pair.scope != scope) continue;
    push_pair(L, &pair);
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}
LCCTX_READER(metadata_pairs)

/* ---- Setting ----
 *
 * Stack: 1 context, 2 name, 3 value, 4 scope; or 1 context, 2 table, 3 scope, and then:
 */
enum { BOX = 4, PAIRS, NAME, VALUE, SCOPE, TOP = SCOPE };

/* Read name and value. The strings are borrowed from where they are. */
static void read_pair(lua_State *L, int name, int value, struct cctx_metadata_pair *out) {
  size_t len;
  if (lua_type(L, name) != LUA_TSTRING)
    luaL_error(L, "the name of metadata must be a string, not a %s",
               luaL_typename(L, name));
  out->name = lua_tolstring(L, name, &len);
  if (strlen(out->name) != len) check_status(L, CCTX_EINVAL, out->name);
  if (lua_type(L, value) != LUA_TSTRING)
    complain(L, out->name, "has a value that is not a string");
  out->value = lua_tolstring(L, value, &out->len);
}

/* (name, value [, scope]) */
static int take_pair(lua_State *L, lcctx_taker *take) {
  struct cctx_metadata_pair pair;
  cctx **box;
  read_pair(L, 2, 3, &pair);
  pair.scope = read_scope(L, 4, pair.name, CCTX_REQUEST);
  box = lcctx_new(L);
  return check_status(L, take(box, lcctx_parent(L, 1), &pair, 1, NULL), pair.name);
}

/* The fields of item `i` of the list go to where their names wait, and come back. */
static void read_item(lua_State *L, size_t i, enum cctx_metadata_scope otherwise,
                      struct cctx_metadata_pair *out) {
  if (lua_rawgeti(L, 2, (lua_Integer)i + 1) != LUA_TTABLE)
    luaL_error(L, "a list of metadata holds tables {name=, value=, scope=}, not a %s",
               luaL_typename(L, -1));
  for (int field = NAME; field <= SCOPE; field++) {
    lua_pushvalue(L, field);
    lua_rawget(L, TOP + 1);
  }
  read_pair(L, TOP + 2, TOP + 3, out);
  out->scope = read_scope(L, TOP + 4, out->name, otherwise);
  lua_settop(L, TOP);
}

/* Fill `n` pairs in. Allocates nothing of Lua's: no finalizer runs that could change the
 * table, whose strings are borrowed. */
static size_t fill_pairs(lua_State *L, struct cctx_metadata_pair *pairs, size_t n,
                         bool list) {
  enum cctx_metadata_scope scope = read_scope(L, 3, "", CCTX_REQUEST);
  size_t i = 0;
  if (list) {
    for (; i < n; i++) read_item(L, i, scope, &pairs[i]);
    return i;
  }
  for (lua_pushnil(L); i < n && lua_next(L, 2); lua_settop(L, TOP + 1), i++) {
    read_pair(L, TOP + 1, TOP + 2, &pairs[i]);
    pairs[i].scope = scope;
  }
  lua_settop(L, TOP);
  return i;
}

/* ({name = value, ...} [, scope]), or a list as metadata_pairs gives it */
static int take_table(lua_State *L, lcctx_taker *take) {
  struct cctx_metadata_pair *pairs;
  bool list = lua_rawlen(L, 2) > 0;
  size_t n = 0, bad = 0;
  cctx **box;
  int status;
  lua_settop(L, 3);
  for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) n++;
  if (list && n != lua_rawlen(L, 2))
    return luaL_argerror(L, 2, "a list of metadata has no other keys");
  box = lcctx_new(L);
  pairs = lua_newuserdatauv(L, (n + 1) * sizeof *pairs, 0);
  lua_pushliteral(L, "name");
  lua_pushliteral(L, "value");
  lua_pushliteral(L, "scope");
  n = fill_pairs(L, pairs, n, list);
  status = take(box, lcctx_parent(L, 1), pairs, n, &bad);
  lua_pushvalue(L, BOX);
  return check_status(L, status, bad < n ? pairs[bad].name : "");
}

int lcctx_take_pairs(lua_State *L, lcctx_taker *take) {
  return lua_istable(L, 2) ? take_table(L, take) : take_pair(L, take);
}

int lcctx_with_metadata(lua_State *L) {
  lcctx_check(L, 1);
  lcctx_take_pairs(L, cctx_with_metadata);
  return 1;
}

/* ctx:without_metadata(name, ...) */
static int without_metadata(lua_State *L) {
  size_t n = (size_t)lua_gettop(L) - 1, len, bad = 0;
  struct cctx_metadata_pair *pairs;
  cctx **box;
  int status;
  lcctx_check(L, 1);
  pairs = lua_newuserdatauv(L, (n + 1) * sizeof *pairs, 0);
  box = lcctx_new(L);
  for (size_t i = 0; i < n; i++) {
    const char *name = lcctx_check_text(L, (int)i + 2, &len);
    pairs[i] = (struct cctx_metadata_pair){.name = name};
    if (strlen(name) != len) check_status(L, CCTX_EINVAL, name);
  }
  status = cctx_with_metadata(box, lcctx_check(L, 1), pairs, n, &bad);
  check_status(L, status, bad < n ? pairs[bad].name : "");
  return 1;
}

const luaL_Reg lcctx_metadata_methods[] = {
    {"metadata", metadata_of},
    {"metadata_scope", metadata_scope_of},
    {"metadata_pairs", metadata_pairs_of},
    {"with_metadata", lcctx_with_metadata},
    {"without_metadata", without_metadata},
    {NULL, NULL},
};
const luaL_Reg lcctx_metadata_functions[] = {
    {"metadata", metadata_now},
    {"metadata_scope", metadata_scope_now},
    {"metadata_pairs", metadata_pairs_now},
    {NULL, NULL},
};
