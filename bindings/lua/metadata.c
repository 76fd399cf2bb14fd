/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata: pairs of strings that may leave the process with the request. */
#include "lcctx.h"

#include <stdio.h>
#include <string.h>

/* ---- Reading ---- */

static int metadata(lua_State *L, int self) {
  const cctx *ctx = lcctx_subject(L, self);
  size_t name_len, len = 0;
  const char *name = lcctx_check_text(L, self + 1, &name_len);
  const char *found = strlen(name) == name_len ? cctx_metadata(ctx, name, &len) : NULL;
  if (found == NULL)
    lua_pushnil(L);
  else
    lua_pushlstring(L, found, len);
  return 1;
}
LCCTX_READER(metadata)

static void push_pair(lua_State *L, const struct cctx_metadata_pair *pair) {
  lua_createtable(L, 0, 3);
  lua_pushstring(L, pair->name);
  lua_setfield(L, -2, "name");
  lua_pushlstring(L, pair->value, pair->len);
  lua_setfield(L, -2, "value");
  lua_pushstring(L, cctx_metadata_scope_word((int)pair->scope));
  lua_setfield(L, -2, "scope");
}

/* ctx:metadata_pairs() -> list of {name, value, scope} */
static int metadata_pairs(lua_State *L) {
  const cctx *ctx;
  size_t n;
  lcctx_check(L, 1);
  ctx = lcctx_hold(L, 1);
  n = cctx_metadata_count(ctx);
  lua_createtable(L, (int)n, 0);
  for (size_t i = 0; i < n; i++) {
    struct cctx_metadata_pair pair;
    if (cctx_metadata_at(ctx, i, &pair) != CCTX_OK) break;
    push_pair(L, &pair);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* ---- Setting ----
 *
 * Stack: 1 context, 2 name, 3 value, 4 scope; or 1 context, 2 table, 3 scope, and then:
 */
enum { BOX = 4, PAIRS, NAME, VALUE, SCOPE, TOP = SCOPE };

/* A name for a message: cut, since it may be anything. */
static int complain(lua_State *L, const char *name, const char *what) {
  char shown[72];
  snprintf(shown, sizeof shown, "%.64s%s", name, strlen(name) > 64 ? "..." : "");
  return luaL_error(L, "metadata '%s' %s", shown, what);
}

static int check_status(lua_State *L, int status, const char *name) {
  switch (status) {
  case CCTX_OK: return 1;
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
  default: return lcctx_no_memory(L);
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

/* ctx:with_metadata(name, value [, scope]) */
static int with_pair(lua_State *L) {
  struct cctx_metadata_pair pair;
  cctx **box;
  read_pair(L, 2, 3, &pair);
  pair.scope = read_scope(L, 4, pair.name, CCTX_REQUEST);
  box = lcctx_new(L);
  return check_status(L, cctx_with_metadata(box, lcctx_parent(L, 1), &pair, 1, NULL),
                      pair.name);
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

/* ctx:with_metadata({name = value, ...} [, scope]), or a list as metadata_pairs gives it */
static int with_table(lua_State *L) {
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
  status = cctx_with_metadata(box, lcctx_parent(L, 1), pairs, n, &bad);
  lua_pushvalue(L, BOX);
  return check_status(L, status, bad < n ? pairs[bad].name : "");
}

int lcctx_with_metadata(lua_State *L) {
  lcctx_check(L, 1);
  return lua_istable(L, 2) ? with_table(L) : with_pair(L);
}

const luaL_Reg lcctx_metadata_methods[] = {
    {"metadata", metadata_of},
    {"metadata_pairs", metadata_pairs},
    {"with_metadata", lcctx_with_metadata},
    {NULL, NULL},
};
const luaL_Reg lcctx_metadata_functions[] = {{"metadata", metadata_now}, {NULL, NULL}};
