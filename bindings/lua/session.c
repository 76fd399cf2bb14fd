/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: methods of a context, and what is known of all of them. */
#include "lcctx.h"

#include <string.h>

#define LCCTX_LISTING "cctx.Sessions"

/* ---- Making, states ------------------------------------------------------------- */

typedef cctx *make_fn(cctx *parent, int64_t timeout, const char *file, int line);

static int derive(lua_State *L, make_fn *make) {
  int64_t timeout = CCTX_NEVER;
  struct lcctx_place place;
  cctx **box;
  lcctx_check(L, 1);
  if (!lua_isnoneornil(L, 2)) timeout = lcctx_check_seconds(L, 2);
  box = lcctx_new(L);
  lcctx_find_place(L, &place);
  return lcctx_give(L, box, make(lcctx_check(L, 1), timeout, place.file, place.line));
}

static int with_session(lua_State *L) { return derive(L, cctx_with_session_at); }
static int with_variables(lua_State *L) { return derive(L, cctx_with_variables_at); }

static int state_of(lua_State *L) {
  lua_pushstring(L, cctx_session_state_word(cctx_session_state(lcctx_check(L, 1))));
  return 1;
}

static int push_first(lua_State *L, int status) {
  if (status < 0)
    return luaL_error(L, "this context belongs to no session: with_session, cctx.backup "
                         "or cctx.request makes one");
  lua_pushboolean(L, status);
  return 1;
}

static int disable_session(lua_State *L) {
  return push_first(L, cctx_session_disable(lcctx_check(L, 1)));
}

static int end_session(lua_State *L) {
  struct lcctx_place place;
  lcctx_find_place(L, &place);
  return push_first(L, cctx_session_end_at(lcctx_check(L, 1), place.file, place.line));
}

/* ---- Variables ------------------------------------------------------------------- */

static int raise_immutable(lua_State *L) {
  return luaL_error(L, "this context belongs to no session with variables: with_variables "
                       "makes one");
}

/* ctx:set_variable(key, value) */
static int set_variable(lua_State *L) {
  cctx_variant value;
  cctx_key *key;
  lcctx_check(L, 1);
  luaL_checkany(L, 3);
  lcctx_check_entry(L, 2, 3, &value);
  key = lcctx_intern(L, lua_tostring(L, 2));
  switch (cctx_variable_set(lcctx_check(L, 1), key, value)) {
  case CCTX_OK: return 0;
  case CCTX_ENOMEM: return lcctx_no_memory(L);
  default: return raise_immutable(L);
  }
}

static int variables(lua_State *L) {
  cctx **box;
  lcctx_check(L, 1);
  box = lcctx_new(L);
  *box = cctx_variables(lcctx_check(L, 1));
  return *box ? 1 : raise_immutable(L);
}

/* ---- The current one ------------------------------------------------------------- */

static int session(lua_State *L) {
  if (cctx_session_state(lcctx_hold(L, 0)) == CCTX_SESSION_NONE) lua_pushnil(L);
  return 1;
}

static int state_now(lua_State *L) {
  int state = cctx_session_state(lcctx_current(L));
  if (state == CCTX_SESSION_NONE && lcctx_current_status(L) == CCTX_CURRENT_ENDED)
    state = CCTX_SESSION_ENDED;
  lua_pushstring(L, cctx_session_state_word(state));
  return 1;
}

/* ---- All of them ----------------------------------------------------------------- */

/* Noted without Lua, which might raise; then told to it. The file is cut to its room. */
struct noted {
  cctx *ctx; /* owned until it is told */
  struct cctx_session_info info;
  char file[CCTX_FILE_MAX];
};
struct listing {
  struct noted *at;
  size_t n, room;
};

static void note(void *arg, const struct cctx_session_info *info) {
  struct listing *listing = arg;
  struct noted *noted = &listing->at[listing->n];
  if (listing->n++ >= listing->room) return;
  noted->ctx = cctx_ref((cctx *)info->ctx);
  noted->info = *info;
  strncpy(noted->file, info->file, sizeof noted->file - 1);
}

static void empty(struct listing *listing) {
  for (size_t i = 0; i < listing->n && i < listing->room; i++) {
    cctx *ctx = listing->at[i].ctx;
    listing->at[i].ctx = NULL;
    cctx_unref(ctx);
  }
}

static int free_listing(lua_State *L) {
  empty(lua_touserdata(L, 1));
  return 0;
}

static struct listing *new_listing(lua_State *L, size_t room) {
  struct listing *listing =
      lua_newuserdatauv(L, sizeof *listing + room * sizeof *listing->at, 0);
  memset(listing, 0, sizeof *listing + room * sizeof *listing->at);
  listing->at = (struct noted *)(listing + 1);
  listing->room = room;
  luaL_setmetatable(L, LCCTX_LISTING);
  return listing;
}

static void push_noted(lua_State *L, const struct noted *noted) {
  lua_createtable(L, 0, 6);
  lcctx_push(L, noted->ctx);
  lua_setfield(L, -2, "context");
  lua_pushstring(L, cctx_session_state_word(noted->info.state));
  lua_setfield(L, -2, "state");
  lcctx_push_seconds(L, noted->info.since);
  lua_setfield(L, -2, "since");
  lua_pushstring(L, noted->file);
  lua_setfield(L, -2, "file");
  lua_pushinteger(L, noted->info.line);
  lua_setfield(L, -2, "line");
  if (!noted->info.is_bound) return;
  lcctx_push_integer(L, (int64_t)noted->info.id);
  lua_setfield(L, -2, "id");
}

/* cctx.sessions([age]) -> list of {context, state, since, file, line, id} */
static int sessions(lua_State *L) {
  int64_t age = lua_isnoneornil(L, 1) ? 0 : lcctx_check_seconds(L, 1);
  struct listing *listing;
  size_t room = 16;
  for (;;) {
    listing = new_listing(L, room);
    if (cctx_sessions(age, note, listing) < 0) return lcctx_no_memory(L);
    if (listing->n <= room) break;
    room = listing->n * 2;
    empty(listing);
  }
  lua_createtable(L, (int)listing->n, 0);
  for (size_t i = 0; i < listing->n; i++) {
    push_noted(L, &listing->at[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  empty(listing);
  return 1;
}

static void set_count(lua_State *L, const char *name, uint64_t count) {
  lua_pushinteger(L, (lua_Integer)count);
  lua_setfield(L, -2, name);
}

static int backup_mistakes(lua_State *L) {
  struct cctx_backup_mistakes found;
  cctx_backup_mistakes(&found);
  lua_createtable(L, 0, 3);
  set_count(L, "lost", found.lost);
  set_count(L, "stale", found.stale);
  set_count(L, "left", found.left);
  return 1;
}

static int backup_options(lua_State *L) {
  struct cctx_backup_options found;
  cctx_backup_options(&found);
  lua_createtable(L, 0, 4);
  lua_pushboolean(L, found.enable);
  lua_setfield(L, -2, "enable");
  lua_pushboolean(L, found.async);
  lua_setfield(L, -2, "async");
  lua_pushinteger(L, found.manager.shards);
  lua_setfield(L, -2, "shards");
  lcctx_push_seconds(L, found.manager.gc_interval);
  lua_setfield(L, -2, "gc_interval");
  return 1;
}

void lcctx_session_init(lua_State *L) {
  luaL_newmetatable(L, LCCTX_LISTING);
  lua_pushcfunction(L, free_listing);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}

const luaL_Reg lcctx_session_methods[] = {
    {"with_session", with_session},
    {"session_state", state_of},
    {"disable_session", disable_session},
    {"end_session", end_session},
    {"with_variables", with_variables},
    {"set_variable", set_variable},
    {"variables", variables},
    {NULL, NULL},
};
const luaL_Reg lcctx_session_functions[] = {
    {"session", session},
    {"session_state", state_now},
    {"sessions", sessions},
    {"backup_mistakes", backup_mistakes},
    {"backup_options", backup_options},
    {NULL, NULL},
};
