/* SPDX-License-Identifier: Apache-2.0 */
/* The module cctx.fetch: a function that makes a call, and yields until it is done.
 *
 * In a worker the coroutine is resumed now and then, and looks; where nobody resumes - in
 * `cctx run`, while a handler is loaded, below a C function - the call blocks. The fetch is
 * a value to be closed, so that a coroutine that is closed aborts it.
 */
#include "fetch_lua.h"

#include <stdlib.h>
#include <string.h>

#include "fetch.h"
#include "lua_request.h"

static const char fetch_type[] = "cctx.fetch";

/* What is on the stack of the function. */
enum { URL = 1, OPTIONS, PAIRS, FETCH, OWN_TOP = FETCH };

/* ---- Objects ---- */

/* Headers that are to be sent: a copy, freed with its userdata also after an error. */
static int free_pairs(lua_State *L) {
  headers_free(lua_touserdata(L, 1));
  return 0;
}

static int free_fetch(lua_State *L) {
  struct fetch **slot = lua_touserdata(L, 1);
  fetch_free(*slot);
  *slot = NULL;
  return 0;
}

/* Push a new userdata of `size` zero bytes that `finalize` ends. */
static void *push_object(lua_State *L, size_t size, const char *type,
                         lua_CFunction finalize) {
  void *object = memset(lua_newuserdatauv(L, size, 0), 0, size);
  if (luaL_newmetatable(L, type)) {
    lua_pushcfunction(L, finalize);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, finalize);
    lua_setfield(L, -2, "__close");
  }
  lua_setmetatable(L, -2);
  return object;
}

/* ---- Arguments ---- */

static const char *to_text(lua_State *L, int index, const char *what) {
  size_t len;
  if (lua_type(L, index) != LUA_TSTRING)
    luaL_error(L, "%s of fetch is a %s, not a string", what, luaL_typename(L, index));
  const char *text = lua_tolstring(L, index, &len);
  if (strlen(text) != len) luaL_error(L, "%s of fetch has a NUL in it", what);
  return text;
}

/* The field `name` of the options, which goes on the stack; false if it is nil. */
static bool get_option(lua_State *L, const char *name) {
  return lua_getfield(L, OPTIONS, name) != LUA_TNIL;
}

static void read_headers(lua_State *L, struct headers *headers) {
  if (!get_option(L, "headers")) return;
  if (!lua_istable(L, -1))
    luaL_error(L, "headers of fetch is a %s, not a table", luaL_typename(L, -1));
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    const char *name = to_text(L, -2, "the name of a header");
    if (lua_type(L, -1) == LUA_TNUMBER) lua_tostring(L, -1);
    if (!headers_add(headers, name, to_text(L, -1, "the value of a header")))
      luaL_error(L, "out of memory");
  }
}

static void read_timeout(lua_State *L, struct fetch_call *call) {
  if (!get_option(L, "timeout")) return;
  lua_Number seconds = lua_tonumber(L, -1);
  if (lua_type(L, -1) != LUA_TNUMBER || seconds != seconds)
    luaL_error(L, "timeout of fetch is no number of seconds");
  if (seconds <= 0)
    call->timeout = 0;
  else if (seconds < (lua_Number)(CCTX_NEVER / CCTX_SECOND))
    call->timeout = (int64_t)(seconds * (lua_Number)CCTX_SECOND);
}

static void read_body(lua_State *L, struct fetch_call *call) {
  if (get_option(L, "body")) {
    if (lua_type(L, -1) != LUA_TSTRING)
      luaL_error(L, "body of fetch is a %s, not a string", luaL_typename(L, -1));
    call->body = lua_tolstring(L, -1, &call->len);
  }
  if (!get_option(L, "body_max")) return;
  if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) < 0)
    luaL_error(L, "body_max of fetch is no number of bytes");
  call->body_max = lua_tointeger(L, -1);
}

static void read_format(lua_State *L, struct fetch_call *call) {
  if (!get_option(L, "format")) return;
  bool is_off = lua_isboolean(L, -1) && !lua_toboolean(L, -1);
  call->format = is_off ? NULL : to_text(L, -1, "the format");
}

/* A misspelled option would be one that does nothing. */
static void check_names(lua_State *L) {
  static const char *const names[] = {"method",  "headers", "body",   "body_max",
                                      "timeout", "context", "format", NULL};
  for (lua_pushnil(L); lua_next(L, OPTIONS); lua_pop(L, 1)) {
    size_t i = 0;
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
    while (names[i] && strcmp(names[i], name) != 0) i++;
    if (!names[i]) luaL_error(L, "fetch has no option %s", luaL_tolstring(L, -2, NULL));
  }
}

/* Everything that is read stays on the stack above the fixed places. */
static cctx *read_options(lua_State *L, const struct lua_setup *setup,
                          struct fetch_call *call) {
  cctx *ctx = setup->api->current(L);
  if (lua_isnil(L, OPTIONS)) return ctx;
  check_names(L);
  if (get_option(L, "method")) call->method = to_text(L, -1, "the method");
  if (get_option(L, "context") && !(ctx = setup->api->to(L, -1)))
    luaL_error(L, "context of fetch is a %s, not a context", luaL_typename(L, -1));
  read_format(L, call);
  read_timeout(L, call);
  read_body(L, call);
  read_headers(L, lua_touserdata(L, PAIRS));
  return ctx;
}

/* ---- The answer ---- */

static int push_answer(lua_State *L, const struct fetch *fetch) {
  size_t len;
  const char *body = fetch_body(fetch, &len);
  lua_createtable(L, 0, 3);
  lua_pushinteger(L, (lua_Integer)fetch_status(fetch));
  lua_setfield(L, -2, "status");
  lua_pushlstring(L, body, len);
  lua_setfield(L, -2, "body");
  lua_request_push_headers(L, fetch_headers(fetch));
  lua_setfield(L, -2, "headers");
  return 1;
}

/* Raise what context:check() raises. */
static int raise_stopped(lua_State *L, const struct lua_setup *setup, cctx *ctx) {
  setup->api->push(L, ctx);
  lua_getfield(L, -1, "check");
  lua_insert(L, -2);
  lua_call(L, 1, 0);
  return luaL_error(L, "fetch: its context is done");
}

static const struct lua_setup *setup_of(lua_State *L) {
  return lua_touserdata(L, lua_upvalueindex(1));
}

static int conclude(lua_State *L, const struct fetch *fetch) {
  enum fetch_result result = fetch_result(fetch);
  if (result == FETCH_STOPPED) return raise_stopped(L, setup_of(L), fetch_context(fetch));
  if (result == FETCH_ANSWERED) return push_answer(L, fetch);
  lua_pushstring(L, fetch_reason(fetch));
  return lua_error(L);
}

/* ---- The function ---- */

/* Compared, and never followed: it may be gone. */
static _Thread_local const lua_State *waiting;

bool fetch_lua_waits(const lua_State *co) {
  bool answer = waiting == co;
  waiting = NULL;
  return answer;
}

static int look(lua_State *L, int status, lua_KContext unused) {
  struct fetch *fetch = *(struct fetch **)lua_touserdata(L, FETCH);
  (void)status;
  (void)unused;
  lua_settop(L, OWN_TOP);
  if (fetch_is_done(fetch)) return conclude(L, fetch);
  waiting = L;
  return lua_yieldk(L, 0, 0, look);
}

static int call_server(lua_State *L) {
  const struct lua_setup *setup = setup_of(L);
  struct fetch_call call = {.format = "http",
                            .timeout = CCTX_NEVER,
                            .body_max = FETCH_BODY_MAX,
                            .wake = setup->wake,
                            .arg = setup->wake_arg};
  char why[256];
  lua_settop(L, OPTIONS);
  if (!lua_isnil(L, OPTIONS)) luaL_checktype(L, OPTIONS, LUA_TTABLE);
  struct headers *pairs = push_object(L, sizeof *pairs, "cctx.fetch.headers", free_pairs);
  struct fetch **slot = push_object(L, sizeof *slot, fetch_type, free_fetch);
  lua_toclose(L, FETCH);
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  call.url = to_text(L, URL, "the URL");
  cctx *ctx = read_options(L, setup, &call);
  call.headers = *pairs;
  int status = fetch_start(slot, ctx, &call, why, sizeof why);
  if (status == CCTX_EINVAL) return luaL_error(L, "%s", why);
  if (status != 0) return luaL_error(L, "out of memory");
  if (setup->wake && lua_isyieldable(L)) return look(L, LUA_OK, 0);
  while (!fetch_wait(*slot)) continue;
  return look(L, LUA_OK, 0);
}

static int open_module(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushcclosure(L, call_server, 1);
  return 1;
}

void fetch_lua_offer(lua_State *L, const struct lua_setup *setup) {
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "preload");
  lua_pushlightuserdata(L, (void *)setup);
  lua_pushcclosure(L, open_module, 1);
  lua_setfield(L, -2, "cctx.fetch");
  lua_pop(L, 2);
}
