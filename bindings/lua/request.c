/* SPDX-License-Identifier: Apache-2.0 */
/* A request that a script serves: a function with a context of its own, which ends with it.
 *
 * What coroutines inherited inside sees background afterwards; see cctx/request.h. The core
 * attaches the context to the thread; here it is detached at once, and attached as a run
 * does, so that it goes with the coroutine.
 */
#include "lcctx.h"

#include <string.h>

#define LCCTX_REQUEST "cctx.Request"

/* Stack of a call. What follows is the function and its arguments, then its results. */
enum { OPTIONS = 1, REQUEST, CONTEXT, LOCALS, TOP = LOCALS };

/* At the end of the call, when its coroutine is closed, or when that is collected. */
static int end_request(lua_State *L) {
  cctx_request *request = luaL_checkudata(L, 1, LCCTX_REQUEST);
  cctx_request_end(request); /* a second time there is nothing to end */
  return 0;
}

static void check_names(lua_State *L) {
  static const char *const names[] = {"timeout", "deadline", "metadata",
                                      "parent",  "response", NULL};
  for (lua_pushnil(L); lua_next(L, OPTIONS); lua_pop(L, 1)) {
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
    const char *const *known = names;
    while (*known && strcmp(*known, name) != 0) known++;
    if (*known == NULL)
      luaL_error(L,
                 "unknown option '%s' of a request: it has timeout, deadline, "
                 "metadata, parent and response",
                 name);
  }
}

/* Push option `name` if it is there. */
static bool push_option(lua_State *L, const char *name) {
  if (!lua_istable(L, OPTIONS)) return false;
  if (lua_getfield(L, OPTIONS, name) != LUA_TNIL) return true;
  lua_pop(L, 1);
  return false;
}

/* Leave at CONTEXT the parent, with the metadata. */
static void find_parent(lua_State *L) {
  if (!push_option(L, "parent"))
    lcctx_hold(L, 0);
  else if (lcctx_to(L, -1) == NULL)
    luaL_error(L, "option 'parent' must be a context, not a %s", luaL_typename(L, -1));
  lua_replace(L, CONTEXT);
  if (!push_option(L, "metadata")) return;
  if (!lua_istable(L, -1))
    luaL_error(L, "option 'metadata' must be a table, not a %s", luaL_typename(L, -1));
  lua_pushcfunction(L, lcctx_with_metadata);
  lua_insert(L, -2);
  lua_pushvalue(L, CONTEXT);
  lua_insert(L, -2);
  lua_call(L, 2, 1);
  lua_replace(L, CONTEXT);
}

static void read_options(lua_State *L, struct cctx_request_options *out) {
  int64_t seconds, limit = CCTX_NEVER;
  if (!lua_istable(L, OPTIONS)) return;
  if (push_option(L, "response")) {
    out->response = lua_toboolean(L, -1);
    lua_pop(L, 1);
  }
  if (lcctx_field_seconds(L, OPTIONS, "timeout", &seconds))
    limit = cctx_deadline_after(seconds);
  if (lcctx_field_seconds(L, OPTIONS, "deadline", &seconds) && seconds < limit)
    limit = seconds;
  out->deadline = limit != 0 ? limit : -1; /* 0 would be none; both have passed */
}

/* Begin what the options at 1 say; its context is at CONTEXT then. */
static void begin(lua_State *L) {
  struct cctx_request_options options = {.timeout = 0};
  cctx_request *request = lua_newuserdatauv(L, sizeof *request, 0);
  struct lcctx_place place;
  cctx **box;
  *request = (cctx_request){.ctx = NULL};
  luaL_setmetatable(L, LCCTX_REQUEST);
  lua_replace(L, REQUEST);
  lua_toclose(L, REQUEST);
  if (lua_istable(L, OPTIONS)) check_names(L);
  find_parent(L);
  read_options(L, &options);
  box = lcctx_new(L);
  lcctx_find_place(L, &place);
  if (cctx_request_begin_at(request, lcctx_check(L, CONTEXT), &options, place.file,
                            place.line) != CCTX_OK)
    lcctx_no_memory(L);
  cctx_detach(&request->token);
  request->token = (cctx_token){NULL, 0};
  *box = cctx_ref(request->ctx);
  lua_replace(L, CONTEXT);
}

static int finish(lua_State *L, int status, lua_KContext id) {
  struct lcctx_place place;
  int ended = lcctx_end(L, id);
  lcctx_locals_restore(L, LOCALS);
  lcctx_find_place(L, &place);
  cctx_request_end_at(lua_touserdata(L, REQUEST), place.file, place.line);
  if (ended == CCTX_ENOMEM) return lcctx_no_memory(L);
  if (status != LUA_OK && status != LUA_YIELD) return lua_error(L);
  return lua_gettop(L) - TOP;
}

static const struct lcctx_call a_request = {.finish = finish, .keep = TOP};

/* cctx.request([options,] f, ...) */
static int request(lua_State *L) {
  if (lua_isfunction(L, 1)) {
    lua_pushnil(L);
    lua_insert(L, 1);
  }
  if (!lua_isnil(L, OPTIONS)) luaL_checktype(L, OPTIONS, LUA_TTABLE);
  lcctx_check_callable(L, 2);
  luaL_checkstack(L, 20, "too many arguments");
  for (int i = REQUEST; i <= TOP; i++) lua_pushnil(L);
  lua_rotate(L, REQUEST, TOP - REQUEST + 1);
  begin(L);
  lcctx_locals_push(L);
  lua_replace(L, LOCALS);
  return lcctx_pcall(L, &a_request, lcctx_begin(L, CONTEXT, CCTX_INHERITED));
}

void lcctx_request_init(lua_State *L) {
  static const luaL_Reg metamethods[] = {
      {"__gc", end_request}, {"__close", end_request}, {NULL, NULL}};
  luaL_newmetatable(L, LCCTX_REQUEST);
  luaL_setfuncs(L, metamethods, 0);
  lua_pop(L, 1);
  lcctx_call_prepare(L, &a_request);
}

const luaL_Reg lcctx_request_functions[] = {{"request", request}, {NULL, NULL}};
