/* SPDX-License-Identifier: Apache-2.0 */
/* Carriers: extract and inject over tables of strings. */
#include "lcctx.h"

#include <string.h>

/* ---- The fields of a table ----
 *
 * Borrowed from the table, so nothing that may run a finalizer stands between reading them and
 * the core's answer. What is no string under a string is no field; a list is several values.
 */

/* Whether the list on top has an item `i`: its length is whatever border Lua finds. */
static bool has_item(lua_State *L, int i) {
  bool has = lua_rawgeti(L, -1, i) != LUA_TNIL;
  lua_pop(L, 1);
  return has;
}

static size_t count_fields(lua_State *L, int table) {
  size_t n = 0;
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1))
    if (lua_istable(L, -1))
      for (int i = 1; has_item(L, i); i++) n++;
    else
      n++;
  return n;
}

/* The value is on top. */
static size_t add_field(lua_State *L, int name, struct cctx_field *field) {
  if (lua_type(L, name) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING) return 0;
  field->name = lua_tolstring(L, name, &field->name_len);
  field->value = lua_tolstring(L, -1, &field->len);
  return 1;
}

static size_t fill_fields(lua_State *L, int table, struct cctx_field *fields, size_t room) {
  size_t n = 0;
  for (lua_pushnil(L); n < room && lua_next(L, table); lua_pop(L, 1)) {
    int name = lua_gettop(L) - 1;
    if (!lua_istable(L, -1)) {
      n += add_field(L, name, &fields[n]);
      continue;
    }
    for (int i = 1; n < room && has_item(L, i); i++) {
      lua_rawgeti(L, name + 1, i);
      n += add_field(L, name, &fields[n]);
      lua_pop(L, 1);
    }
  }
  return n;
}

/* ---- Extract ---- */

/* cctx.extract(fields [, parent [, policy]]) */
static int extract(lua_State *L) {
  const struct cctx_policy *policy;
  struct cctx_policy storage;
  struct cctx_fields fields;
  struct cctx_carrier carrier;
  struct cctx_field *at;
  cctx **box, *parent;
  size_t room;
  lua_settop(L, 3);
  luaL_checktype(L, 1, LUA_TTABLE);
  parent = lua_isnil(L, 2) ? cctx_background() : lcctx_check(L, 2);
  policy = lcctx_opt_policy(L, 3, &storage);
  box = lcctx_new(L);
  room = count_fields(L, 1);
  at = lua_newuserdatauv(L, (room + 1) * sizeof *at, 0);
  luaL_checkstack(L, 6, NULL);
  if (!lua_isnil(L, 2)) parent = lcctx_check(L, 2); /* a finalizer may have closed it */
  fields = (struct cctx_fields){at, fill_fields(L, 1, at, room)};
  carrier = cctx_fields_carrier(&fields);
  if (cctx_extract(box, parent, &carrier, policy, NULL) != CCTX_OK)
    return lcctx_no_memory(L);
  lua_settop(L, 4);
  return 1;
}

/* ---- Inject ---- */

/* What the core sets, one after the other, until the table may be written: lengths, name, value,
 * each with its NUL. */
struct change {
  size_t name_len, len;
  bool removes;
};

struct changes {
  struct cctx_fields seen; /* what the core's carrier looks at */
  size_t used, room;
  char bytes[];
};

static int note_change(void *arg, const char *name, const char *value, size_t len) {
  struct changes *changes = arg;
  struct change change = {strlen(name), value ? len : 0, value == NULL};
  size_t size = sizeof change + change.name_len + change.len;
  char *to = changes->bytes + changes->used;
  if (size > changes->room - changes->used) return CCTX_ETOOBIG;
  memcpy(to, &change, sizeof change);
  memcpy(to + sizeof change, name, change.name_len);
  if (change.len) memcpy(to + sizeof change + change.name_len, value, change.len);
  changes->used += size;
  return CCTX_OK;
}

static void apply(lua_State *L, int table, const struct changes *changes) {
  const char *from = changes->bytes, *end = from + changes->used;
  while (from < end) {
    struct change change;
    memcpy(&change, from, sizeof change);
    from += sizeof change;
    lua_pushlstring(L, from, change.name_len);
    from += change.name_len;
    if (change.removes)
      lua_pushnil(L);
    else
      lua_pushlstring(L, from, change.len);
    from += change.len;
    lua_rawset(L, table);
  }
}

/* Bytes that all changes need at most: of the fields that are there one removal each; of each
 * pair, in three forms, the longest name and the value percent-encoded; of the rest a constant. */
static size_t room_for(const cctx *ctx, const struct cctx_field *fields, size_t n) {
  enum { REST = 24 * 1024, NAME = 4 * CCTX_METADATA_NAME_MAX + 64 };
  size_t room = REST;
  struct cctx_metadata_pair pair;
  for (size_t i = 0; i < n; i++) room += 4 * (sizeof(struct change) + fields[i].name_len);
  for (size_t i = 0; cctx_metadata_at(ctx, i, &pair) == CCTX_OK; i++)
    room += 3 * (sizeof(struct change) + NAME + 3 * pair.len);
  return room;
}

/* cctx.inject(fields [, ctx [, policy]]) -> fields */
static int inject(lua_State *L) {
  const struct cctx_policy *policy;
  struct cctx_policy storage;
  struct cctx_carrier carrier;
  struct changes *changes;
  struct cctx_field *at;
  cctx *ctx;
  size_t n, room;
  int status;
  lua_settop(L, 3);
  luaL_checktype(L, 1, LUA_TTABLE);
  if (!lua_isnil(L, 2)) lcctx_check(L, 2);
  policy = lcctx_opt_policy(L, 3, &storage);
  luaL_checkstack(L, 8, NULL);
  if (lua_isnil(L, 2)) {
    lcctx_hold(L, 0);
  } else {
    cctx **box = lcctx_new(L);
    *box = cctx_ref(lcctx_check(L, 2));
  }
  ctx = lcctx_to(L, 4);
  n = count_fields(L, 1);
  at = lua_newuserdatauv(L, (n + 1) * sizeof *at, 0);
  room = room_for(ctx, at, fill_fields(L, 1, at, n));
  changes = lua_newuserdatauv(L, sizeof *changes + room, 0);
  changes->seen = (struct cctx_fields){at, fill_fields(L, 1, at, n)};
  changes->used = 0;
  changes->room = room;
  carrier = cctx_fields_carrier(&changes->seen);
  carrier.set = note_change;
  status = cctx_inject(ctx, &carrier, policy);
  if (status == CCTX_ECANCELED || status == CCTX_EDEADLINE) return lcctx_raise(L, ctx);
  if (status != CCTX_OK) return luaL_error(L, "%s", cctx_status_message(status));
  apply(L, 1, changes);
  lua_settop(L, 1);
  return 1;
}

const luaL_Reg lcctx_carrier_functions[] = {
    {"extract", extract}, {"inject", inject}, {NULL, NULL}};
