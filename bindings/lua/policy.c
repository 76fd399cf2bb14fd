/* SPDX-License-Identifier: Apache-2.0 */
/* Policies: what is taken from a carrier, and what is sent. */
#include "lcctx.h"

#include <string.h>

#define LCCTX_POLICY "cctx.Policy"

/* Its lists lie behind it, its strings in its user value, a table that nobody else has. */
struct policy {
  struct cctx_policy plain;
  struct cctx_carrier_counts counts;
};

/* Stack of a construction. */
enum { OPTIONS = 1, POLICY, STRINGS, TOP = STRINGS };

static const char *const names[] = {
    "format",        "read",  "write",         "direction", "timeout_max", "timeout_min",
    "timeout_field", "allow", "send",          "rename",    "pairs_max",   "bytes_max",
    "skew_max",      "wall",  "plus_is_blank", NULL};

static void check_names(lua_State *L) {
  for (lua_pushnil(L); lua_next(L, OPTIONS); lua_pop(L, 1)) {
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
    const char *const *known = names;
    while (*known && strcmp(*known, name) != 0) known++;
    if (*known == NULL) luaL_error(L, "unknown option '%s' of a policy", name);
  }
}

/* Push option `name`, a table, if it is there. */
static bool push_table(lua_State *L, const char *name) {
  int type = lua_getfield(L, OPTIONS, name);
  if (type != LUA_TTABLE && type != LUA_TNIL)
    luaL_error(L, "option '%s' must be a table, not a %s", name, luaL_typename(L, -1));
  if (type == LUA_TTABLE) return true;
  lua_pop(L, 1);
  return false;
}

/* How many entries option `name` has; 0 if it is absent. */
static size_t count(lua_State *L, const char *name) {
  size_t n = 0;
  if (!push_table(L, name)) return 0;
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) n++;
  lua_pop(L, 1);
  return n;
}

/* The string at the top, which is popped and kept. */
static const char *keep_string(lua_State *L, const char *name) {
  size_t len;
  const char *text;
  if (lua_type(L, -1) != LUA_TSTRING)
    luaL_error(L, "option '%s' has a %s where a string is due", name, luaL_typename(L, -1));
  text = lua_tolstring(L, -1, &len);
  if (strlen(text) != len) luaL_error(L, "option '%s' has a string with a NUL in it", name);
  lua_rawseti(L, STRINGS, (lua_Integer)lua_rawlen(L, STRINGS) + 1);
  return text;
}

/* ---- Words ---- */

enum cctx_format lcctx_check_format(lua_State *L, int index) {
  const char *word,
      *text = lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index) : "?";
  for (int i = 0; (word = cctx_format_word(i)) != NULL; i++)
    if (strcmp(word, text) == 0) return (enum cctx_format)i;
  luaL_error(L,
             "there is no format '%s': it is http, stranger, grpc, cgi, metainfo, "
             "metainfo-map, environment or queue",
             text);
  return CCTX_FORMAT_HTTP;
}

static unsigned check_field(lua_State *L, const char *name) {
  const char *word, *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "?";
  unsigned bit;
  for (unsigned i = 0; (word = cctx_field_word(i, &bit)) != NULL; i++)
    if (strcmp(word, text) == 0) return bit;
  return (unsigned)luaL_error(
      L, "option '%s' has no field '%s'; one is traceparent, or baggage", name, text);
}

static void read_fields(lua_State *L, const char *name, unsigned *fields) {
  if (!push_table(L, name)) return;
  *fields = 0;
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) *fields |= check_field(L, name);
  lua_pop(L, 1);
}

static void read_direction(lua_State *L, enum cctx_direction *direction) {
  static const char *const words[] = {"forward", "backward", "backward-transit",
                                      "backward-raw"};
  const char *text = "?";
  int i = 0;
  if (lua_getfield(L, OPTIONS, "direction") == LUA_TNIL) {
    lua_pop(L, 1);
    return;
  }
  if (lua_type(L, -1) == LUA_TSTRING) text = lua_tostring(L, -1);
  while (i < 4 && strcmp(words[i], text) != 0) i++;
  if (i == 4)
    luaL_error(L, "option 'direction' must be forward, backward, backward-transit or "
                  "backward-raw");
  *direction = (enum cctx_direction)i;
  lua_pop(L, 1);
}

/* ---- Numbers ---- */

/* Infinity is none. */
static void read_limit(lua_State *L, const char *name, int64_t *out) {
  int64_t ns;
  if (!lcctx_field_seconds(L, OPTIONS, name, &ns)) return;
  if (ns <= 0) luaL_error(L, "option '%s' must be more than 0 seconds", name);
  *out = ns == CCTX_NEVER ? 0 : ns;
}

static void read_size(lua_State *L, const char *name, size_t *out) {
  if (lua_getfield(L, OPTIONS, name) != LUA_TNIL) {
    if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) <= 0)
      luaL_error(L, "option '%s' must be an integer over 0", name);
    *out = (size_t)lua_tointeger(L, -1);
  }
  lua_pop(L, 1);
}

/* {name =, unit =, decimals =} */
static void read_timeout_field(lua_State *L, struct cctx_timeout_field *out) {
  int table;
  if (!push_table(L, "timeout_field")) return;
  table = lua_gettop(L);
  lua_getfield(L, table, "name");
  out->name = keep_string(L, "timeout_field");
  lcctx_field_seconds(L, table, "unit", &out->unit);
  lua_getfield(L, table, "decimals");
  out->decimals = (unsigned)luaL_optinteger(L, -1, 0);
  if (out->unit <= 0 || out->unit > 3600 * CCTX_SECOND || out->decimals > 9)
    luaL_error(L, "option 'timeout_field' has a unit from 1 ns to an hour, and at most 9 "
                  "decimals");
  lua_settop(L, TOP);
}

/* ---- Lists ----
 *
 * What keeps a string may run finalizers, which may change a table: no more is read than there is
 * room for.
 */
static void read_list(lua_State *L, const char *name, const char **list, size_t n,
                      const char *const **out) {
  size_t i = 0;
  if (!push_table(L, name)) return;
  for (; i < n && lua_rawgeti(L, TOP + 1, (lua_Integer)i + 1) != LUA_TNIL; i++)
    list[i] = keep_string(L, name);
  list[i] = NULL;
  if (i < n) luaL_error(L, "option '%s' must be a list of strings", name);
  *out = list;
  lua_settop(L, TOP);
}

static void read_renames(lua_State *L, struct cctx_rename *renames, size_t n,
                         const struct cctx_rename **out) {
  size_t i = 0;
  if (!push_table(L, "rename")) return;
  for (lua_pushnil(L); i < n && lua_next(L, TOP + 1); i++) {
    lua_pushvalue(L, TOP + 2);
    renames[i].from = keep_string(L, "rename");
    renames[i].to = keep_string(L, "rename");
  }
  renames[i] = (struct cctx_rename){NULL, NULL};
  *out = renames;
  lua_settop(L, TOP);
}

static void read_options(lua_State *L, struct policy *policy, size_t allow, size_t send,
                         size_t renames) {
  struct cctx_policy *plain = &policy->plain;
  struct cctx_rename *pairs = (struct cctx_rename *)(policy + 1);
  const char **list = (const char **)(pairs + renames + 1);
  if (lua_getfield(L, OPTIONS, "format") != LUA_TNIL)
    *plain = cctx_policy_for(lcctx_check_format(L, -1));
  lua_settop(L, TOP);
  read_fields(L, "read", &plain->read);
  read_fields(L, "write", &plain->write);
  read_direction(L, &plain->direction);
  read_limit(L, "timeout_max", &plain->timeout_max);
  read_limit(L, "timeout_min", &plain->timeout_min);
  read_limit(L, "skew_max", &plain->skew_max);
  read_limit(L, "wall", &plain->wall);
  read_size(L, "pairs_max", &plain->pairs_max);
  read_size(L, "bytes_max", &plain->bytes_max);
  lua_getfield(L, OPTIONS, "plus_is_blank");
  plain->flags = lua_toboolean(L, -1) ? CCTX_PLUS_IS_BLANK : 0;
  lua_settop(L, TOP);
  read_timeout_field(L, &plain->timeout);
  read_list(L, "allow", list, allow, &plain->allow);
  read_list(L, "send", list + allow + 1, send, &plain->send);
  read_renames(L, pairs, renames, &plain->renames);
}

/* cctx.policy([format or options]) */
static int new_policy(lua_State *L) {
  size_t allow = 0, send = 0, renames = 0;
  struct policy *policy;
  lua_settop(L, OPTIONS);
  if (!lua_istable(L, OPTIONS) && !lua_isnil(L, OPTIONS)) {
    lcctx_check_format(L, OPTIONS);
    lua_createtable(L, 0, 1);
    lua_insert(L, OPTIONS);
    lua_setfield(L, OPTIONS, "format");
  }
  if (lua_isnil(L, OPTIONS)) {
    lua_newtable(L);
    lua_replace(L, OPTIONS);
  }
  check_names(L);
  allow = count(L, "allow");
  send = count(L, "send");
  renames = count(L, "rename");
  policy = lua_newuserdatauv(L,
                             sizeof *policy + (renames + 1) * sizeof(struct cctx_rename) +
                                 (allow + send + 2) * sizeof(const char *),
                             1);
  memset(policy, 0, sizeof *policy);
  policy->plain = cctx_policy_for(CCTX_FORMAT_HTTP);
  luaL_setmetatable(L, LCCTX_POLICY);
  lua_newtable(L);
  lua_pushvalue(L, STRINGS);
  lua_setiuservalue(L, POLICY, 1);
  read_options(L, policy, allow, send, renames);
  policy->plain.counts = &policy->counts;
  lua_settop(L, POLICY);
  return 1;
}

const struct cctx_policy *lcctx_opt_policy(lua_State *L, int arg,
                                           struct cctx_policy *storage) {
  if (lua_isuserdata(L, arg)) {
    struct policy *policy = luaL_checkudata(L, arg, LCCTX_POLICY);
    return &policy->plain;
  }
  if (!lua_isnoneornil(L, arg) && lua_type(L, arg) != LUA_TSTRING)
    luaL_typeerror(L, arg, LCCTX_POLICY " or the word for a format");
  *storage = cctx_policy_for(lua_isnoneornil(L, arg) ? CCTX_FORMAT_HTTP
                                                     : lcctx_check_format(L, arg));
  return storage;
}

/* policy:counts() -> table */
static int counts(lua_State *L) {
  struct policy *policy = luaL_checkudata(L, 1, LCCTX_POLICY);
  const char *name;
  uint64_t value;
  lua_newtable(L);
  for (unsigned i = 0; (name = cctx_carrier_count(&policy->counts, i, &value)) != NULL;
       i++) {
    lcctx_push_integer(L, (int64_t)value);
    lua_setfield(L, -2, name);
  }
  return 1;
}

void lcctx_policy_init(lua_State *L) {
  static const luaL_Reg methods[] = {{"counts", counts}, {NULL, NULL}};
  luaL_newmetatable(L, LCCTX_POLICY);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

const luaL_Reg lcctx_policy_functions[] = {{"policy", new_policy}, {NULL, NULL}};
