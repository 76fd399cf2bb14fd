/* SPDX-License-Identifier: Apache-2.0 */
/* Backups: a handler with a session of its own, and a context that recovers from one.
 *
 * As of a request, the scope is a run's: it goes with the coroutine.
 */
#include "lcctx.h"

#include <string.h>

#define LCCTX_SERVER "cctx.Server"

/* ---- The server's side ------------------------------------------------------------ */

/* Stack of a call. What follows is the function and its arguments, then its results. */
enum { CONTEXT = 1, SERVER, LOCALS, TOP = LOCALS };

struct server {
  cctx *session; /* owned; NULL: it has ended, or backups are off */
};

static void end(struct server *server, const char *file, int line) {
  cctx *session = server->session;
  server->session = NULL;
  if (session) cctx_session_end_at(session, file, line);
  cctx_unref(session);
}

/* At the end of the call, when its coroutine is closed, or when that is collected. */
static int end_server(lua_State *L) {
  end(luaL_checkudata(L, 1, LCCTX_SERVER), NULL, 0);
  return 0;
}

/* Put a session of what is at CONTEXT there. */
static void begin(lua_State *L) {
  struct server *server = lua_newuserdatauv(L, sizeof *server, 0);
  struct cctx_backup_options options;
  struct lcctx_place place;
  cctx **box;
  server->session = NULL;
  luaL_setmetatable(L, LCCTX_SERVER);
  lua_replace(L, SERVER);
  lua_toclose(L, SERVER);
  if (lua_isnil(L, CONTEXT)) {
    lcctx_hold(L, 0);
    lua_replace(L, CONTEXT);
  }
  cctx_backup_options(&options);
  if (!options.enable) return;
  box = lcctx_new(L);
  lcctx_find_place(L, &place);
  *box = cctx_with_session_at(lcctx_check(L, CONTEXT), CCTX_NEVER, place.file, place.line);
  if (*box == NULL) lcctx_no_memory(L);
  server->session = cctx_ref(*box);
  lua_replace(L, CONTEXT);
}

static int finish(lua_State *L, int status, lua_KContext id) {
  struct lcctx_place place;
  int ended = lcctx_end(L, id);
  lcctx_locals_restore(L, LOCALS);
  lcctx_find_place(L, &place);
  end(lua_touserdata(L, SERVER), place.file, place.line);
  if (ended == CCTX_ENOMEM) return lcctx_no_memory(L);
  if (status != LUA_OK && status != LUA_YIELD) return lua_error(L);
  return lua_gettop(L) - TOP;
}

static const struct lcctx_call a_backup = {.finish = finish, .keep = TOP};

/* cctx.backup([ctx,] f, ...) */
static int backup(lua_State *L) {
  if (lcctx_to(L, 1) == NULL && !lua_isnil(L, 1)) {
    lua_pushnil(L);
    lua_insert(L, 1);
  }
  lcctx_check_callable(L, 2);
  luaL_checkstack(L, 20, "too many arguments");
  for (int i = SERVER; i <= TOP; i++) lua_pushnil(L);
  lua_rotate(L, SERVER, TOP - SERVER + 1);
  begin(L);
  lcctx_locals_push(L);
  lua_replace(L, LOCALS);
  return lcctx_pcall(L, &a_backup, lcctx_begin(L, CONTEXT, CCTX_INHERITED));
}

/* ---- The client's side ------------------------------------------------------------- */

/* Stack of a recovery. After it: the keys, then the error of a handler that failed. */
enum { CUR = 1, OPTIONS, PREV, HANDLER, OUT, NAME };

struct handler {
  lua_State *L;
  cctx *prev, *cur; /* borrowed: both are on the stack */
  cctx *answer;     /* owned */
  bool failed;
};

/* Called protected: (handler) -> nothing. Whatever it makes, Lua has. */
static int call_handler(lua_State *L) {
  struct handler *handler = lua_touserdata(L, 1);
  lua_pushvalue(L, 2);
  lcctx_push(L, handler->prev);
  lcctx_push(L, handler->cur);
  lua_call(L, 2, 1);
  if (lua_isnil(L, -1)) return 0;
  if (lcctx_to(L, -1) == NULL)
    return luaL_error(L, "the handler must return a context or nil, not a %s",
                      luaL_typename(L, -1));
  handler->answer = cctx_ref(lcctx_to(L, -1));
  return 0;
}

static int handle(void *arg, cctx *prev, cctx *cur, cctx **out) {
  struct handler *handler = arg;
  lua_State *L = handler->L;
  handler->prev = prev;
  handler->cur = cur;
  lua_pushcfunction(L, call_handler);
  lua_pushlightuserdata(L, handler);
  lua_pushvalue(L, HANDLER);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
    handler->failed = true; /* the error stays on top */
    return CCTX_EINVAL;
  }
  *out = handler->answer;
  return handler->answer != NULL;
}

static bool field_is_true(lua_State *L, const char *name) {
  bool truth;
  lua_getfield(L, OPTIONS, name);
  truth = lua_toboolean(L, -1) != 0;
  lua_pop(L, 1);
  return truth;
}

static void check_names(lua_State *L) {
  static const char *const names[] = {"handler",  "previous",     "keys",    "scopes",
                                      "deadline", "cancellation", "invalid", NULL};
  for (lua_pushnil(L); lua_next(L, OPTIONS); lua_pop(L, 1)) {
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
    const char *const *known = names;
    while (*known && strcmp(*known, name) != 0) known++;
    if (*known == NULL)
      luaL_error(L,
                 "unknown option '%s' of a recovery: it has handler, previous, keys, "
                 "scopes, deadline, cancellation and invalid",
                 name);
  }
}

/* Push the list in option `name`, or nil; its length. */
static size_t push_list(lua_State *L, const char *name) {
  int type = lua_getfield(L, OPTIONS, name);
  if (type == LUA_TNIL) return 0;
  if (type != LUA_TTABLE)
    luaL_error(L, "option '%s' must be a list of names, not a %s", name,
               luaL_typename(L, -1));
  return lua_rawlen(L, -1);
}

/* Push name `i` of the list below: borrowed while that is there. */
static const char *push_name(lua_State *L, size_t i, const char *list) {
  const char *name;
  size_t len;
  if (lua_rawgeti(L, -1, (lua_Integer)i + 1) != LUA_TSTRING)
    luaL_error(L, "option '%s' must be a list of names, and has a %s", list,
               luaL_typename(L, -1));
  name = lua_tolstring(L, -1, &len);
  if (strlen(name) != len)
    luaL_error(L, "option '%s' must be a list of names, and has one with a NUL", list);
  return name;
}

/* A key that nobody has used names no value; it is not made. */
static void read_keys(lua_State *L, struct cctx_recovery *how) {
  size_t n = push_list(L, "keys");
  const cctx_key **keys = lua_newuserdatauv(L, (n + 1) * sizeof *keys, 0);
  lua_insert(L, -2);
  for (size_t i = 0; i < n; i++) {
    keys[i] = cctx_key_find(push_name(L, i, "keys"));
    lua_pop(L, 1);
  }
  lua_pop(L, 1); /* the keys stay */
  how->keys = keys;
  how->keys_n = n;
}

static void read_scopes(lua_State *L, struct cctx_recovery *how) {
  size_t n = push_list(L, "scopes");
  if (lua_istable(L, -1) && n == 0) how->flags |= CCTX_RECOVER_NO_METADATA;
  for (size_t i = 0; i < n; i++) {
    const char *word = push_name(L, i, "scopes");
    int scope = CCTX_HOP;
    while (scope <= CCTX_UPSTREAM && strcmp(word, cctx_metadata_scope_word(scope)) != 0)
      scope++;
    if (scope > CCTX_UPSTREAM)
      luaL_error(L, "a scope is \"hop\", \"request\" or \"upstream\", not \"%s\"", word);
    how->scopes |= CCTX_SCOPE_BIT(scope);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

/* Leave at PREV the option, or what is current: true if it is that. */
static bool find_previous(lua_State *L) {
  bool is_current = lua_getfield(L, OPTIONS, "previous") == LUA_TNIL;
  if (is_current)
    lcctx_hold(L, 0);
  else if (lcctx_to(L, -1) == NULL)
    luaL_error(L, "option 'previous' must be a context, not a %s", luaL_typename(L, -1));
  lua_replace(L, PREV);
  return is_current;
}

static void find_handler(lua_State *L) {
  lua_getfield(L, OPTIONS, "handler");
  if (!lua_isnil(L, -1)) lcctx_check_callable(L, lua_gettop(L));
  lua_replace(L, HANDLER);
}

static void set_flag(lua_State *L, const char *name, bool flag) {
  lua_pushboolean(L, flag);
  lua_setfield(L, -2, name);
}

static void set_number(lua_State *L, const char *name, unsigned number) {
  lua_pushinteger(L, (lua_Integer)number);
  lua_setfield(L, -2, name);
}

static void push_result(lua_State *L, const struct cctx_recovered *did) {
  lua_createtable(L, 0, 7);
  lua_pushstring(L, cctx_recover_reason_word((int)did->reason));
  lua_setfield(L, -2, "reason");
  set_number(L, "pairs", did->pairs);
  set_number(L, "left_out", did->left_out);
  set_number(L, "values", did->values);
  set_flag(L, "handled", did->handled);
  set_flag(L, "deadline", did->deadline);
  set_flag(L, "cancellation", did->cancellation);
}

/* cctx.recover(ctx [, options]) -> ctx, what was done */
static int recover(lua_State *L) {
  struct handler handler = {.L = L};
  struct cctx_recovery how = {.arg = &handler};
  struct cctx_recovered did;
  bool is_current;
  cctx **box;
  int status;
  lcctx_check(L, CUR);
  if (lua_isnoneornil(L, OPTIONS)) {
    lua_settop(L, CUR);
    lua_newtable(L);
  }
  luaL_checktype(L, OPTIONS, LUA_TTABLE);
  lua_settop(L, OUT);
  luaL_checkstack(L, 20, NULL);
  check_names(L);
  is_current = find_previous(L);
  find_handler(L);
  if (!lua_isnil(L, HANDLER)) how.handler = handle;
  if (field_is_true(L, "deadline")) how.flags |= CCTX_RECOVER_DEADLINE;
  if (field_is_true(L, "cancellation")) how.flags |= CCTX_RECOVER_CANCELLATION;
  if (field_is_true(L, "invalid")) how.flags |= CCTX_RECOVER_INVALID;
  read_scopes(L, &how);
  read_keys(L, &how);
  box = lcctx_new(L);
  lua_pushvalue(L, -1);
  lua_replace(L, OUT);
  status = cctx_recover(box, lcctx_check(L, PREV), lcctx_check(L, CUR), &how, &did);
  if (handler.failed) return lua_error(L);
  if (status != CCTX_OK) return lcctx_no_memory(L);
  if (is_current && did.reason == CCTX_REASON_NO_SESSION &&
      lcctx_current_status(L) == CCTX_CURRENT_ENDED)
    did.reason = CCTX_REASON_ENDED;
  lua_pushvalue(L, OUT);
  push_result(L, &did);
  return 2;
}

/* cctx.check_egress(ctx): false if it was lost on the way */
static int check_egress(lua_State *L) {
  const cctx *ctx = lcctx_check(L, 1);
  struct lcctx_place place;
  lcctx_find_place(L, &place);
  lua_pushboolean(L, cctx_check_egress_at(ctx, lcctx_current(L), place.file, place.line) ==
                         CCTX_OK);
  return 1;
}

void lcctx_backup_init(lua_State *L) {
  static const luaL_Reg metamethods[] = {
      {"__gc", end_server}, {"__close", end_server}, {NULL, NULL}};
  luaL_newmetatable(L, LCCTX_SERVER);
  luaL_setfuncs(L, metamethods, 0);
  lua_pop(L, 1);
  lcctx_call_prepare(L, &a_backup);
}

const luaL_Reg lcctx_backup_callers[] = {{"backup", backup}, {NULL, NULL}};
const luaL_Reg lcctx_backup_functions[] = {
    {"recover", recover},
    {"check_egress", check_egress},
    {NULL, NULL},
};
