/* SPDX-License-Identifier: Apache-2.0 */
/* Being told: callbacks of contexts that are done, run by the state's own thread.
 *
 * The core calls into the state's loop, which only cctx.poll and cctx.wait run; that call
 * notes the registration as ready, and calls no Lua. Then each that is ready is called
 * in protected mode, with background current. A registration that waits is kept in
 * a table of the registry, so that its memory is there when the core calls.
 */
#include "lcctx.h"

#define LCCTX_HANDLE "cctx.Handle"

enum stage { ENDED, WAITING, READY };

struct lcctx_handle {
  struct lcctx_state *state;
  enum stage stage;
  cctx_observer observer;    /* while it waits */
  cctx *ctx;                 /* owned, while it is ready */
  struct lcctx_handle *next; /* of those that are ready */
};

static const char table_key; /* {address of a handle = the handle}, whose user value is f */

/* ---- Registrations ---- */

static void note_done(cctx *ctx, void *arg) {
  struct lcctx_handle *handle = arg;
  handle->stage = READY;
  handle->ctx = cctx_ref(ctx);
  handle->next = NULL;
  *handle->state->end = handle;
  handle->state->end = &handle->next;
}

static void take_out(struct lcctx_handle *handle) {
  struct lcctx_state *state = handle->state;
  struct lcctx_handle **link = &state->ready;
  while (*link != handle) link = &(*link)->next;
  *link = handle->next;
  if (state->end == &handle->next) state->end = link;
}

/* Whether this call prevented the callback. */
static bool withdraw(struct lcctx_handle *handle) {
  enum stage stage = handle->stage;
  cctx *ctx = handle->ctx;
  if (stage == ENDED) return false;
  handle->stage = ENDED;
  handle->ctx = NULL;
  if (stage == WAITING) return cctx_off_done(&handle->observer) == 1;
  take_out(handle);
  cctx_unref(ctx);
  return true;
}

/* Let the collector have it, with its function. Needs no memory. */
static void let_go(lua_State *L, struct lcctx_handle *handle) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &table_key);
  if (lua_rawgetp(L, -1, handle) == LUA_TUSERDATA) {
    lua_pushnil(L);
    lua_setiuservalue(L, -2, 1);
  }
  lua_pushnil(L);
  lua_rawsetp(L, -3, handle);
  lua_pop(L, 2);
}

/* ctx:on_done(f) */
static int on_done(lua_State *L) {
  struct lcctx_handle *handle;
  cctx_loop *loop;
  lcctx_check(L, 1);
  lcctx_check_callable(L, 2);
  lua_settop(L, 2);
  loop = lcctx_state_loop(L);
  handle = lua_newuserdatauv(L, sizeof *handle, 1);
  *handle = (struct lcctx_handle){.state = lcctx_state(L)};
  luaL_setmetatable(L, LCCTX_HANDLE);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, 3, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &table_key);
  lua_pushvalue(L, 3);
  lua_rawsetp(L, 4, handle);
  lua_settop(L, 3);
  if (cctx_on_done(lcctx_check(L, 1), loop, note_done, handle, &handle->observer) !=
      CCTX_OK) {
    let_go(L, handle);
    return lcctx_no_memory(L);
  }
  handle->stage = WAITING;
  return 1;
}

/* handle:off() -> whether it will not be called, thanks to this */
static int off(lua_State *L) {
  struct lcctx_handle *handle = luaL_checkudata(L, 1, LCCTX_HANDLE);
  bool prevented = withdraw(handle);
  if (prevented) let_go(L, handle);
  lua_pushboolean(L, prevented);
  return 1;
}

/* At lua_close alone: until then the table keeps what waits. */
static int free_handle(lua_State *L) {
  withdraw(luaL_checkudata(L, 1, LCCTX_HANDLE));
  return 0;
}

static int describe(lua_State *L) {
  static const char *const words[] = {"ended", "waiting", "ready"};
  const struct lcctx_handle *handle = luaL_checkudata(L, 1, LCCTX_HANDLE);
  lua_pushfstring(L, LCCTX_HANDLE ": %s", words[handle->stage]);
  return 1;
}

/* ---- Calling ---- */

/* (handle): protected. Until it is let go, an error means that it was not called. */
static int deliver(lua_State *L) {
  struct lcctx_handle *handle = lua_touserdata(L, 1);
  cctx **box = lcctx_new(L);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &table_key);
  lua_rawgetp(L, -1, handle);
  lua_getiuservalue(L, -1, 1);
  *box = handle->ctx;
  handle->ctx = NULL;
  handle->stage = ENDED;
  let_go(L, handle);
  lua_pushvalue(L, 2);
  lua_call(L, 1, 0);
  return 0;
}

/* Call the first that is ready; the error stays on the stack. */
static int call_first(lua_State *L) {
  struct lcctx_state *state = lcctx_state(L);
  struct lcctx_handle *handle = state->ready;
  int status;
  lua_pushcfunction(L, deliver); /* which may raise */
  take_out(handle);
  lua_pushlightuserdata(L, handle);
  status = lua_pcall(L, 1, 0, 0);
  if (status != LUA_OK && handle->stage == READY) { /* no memory: it stays the first */
    handle->next = state->ready;
    if (state->ready == NULL) state->end = &handle->next;
    state->ready = handle;
  }
  return status;
}

/* Of several errors the first is raised; the others are warnings. */
static void note_error(lua_State *L, int first, bool is_first) {
  if (is_first) {
    lua_replace(L, first);
    return;
  }
  lua_warning(L, "cctx: one more error in a callback: ", 1);
  lua_warning(
      L, lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : luaL_typename(L, -1), 0);
  lua_pop(L, 1);
}

lua_Integer lcctx_poll(lua_State *L) {
  struct lcctx_state *state;
  lua_Integer count = 0, errors = 0;
  lua_KContext id;
  bool stuck = false;
  int first;
  luaL_checkstack(L, 10, NULL);
  state = lcctx_state(L);
  if (state->loop) cctx_loop_run(state->loop, cctx_now());
  if (state->ready == NULL) return 0;
  lcctx_push(L, cctx_background());
  lua_pushnil(L);
  first = lua_gettop(L);
  id = lcctx_begin(L, first - 1, CCTX_HANDED_OVER);
  while (state->ready && !stuck) {
    struct lcctx_handle *handle = state->ready;
    count++;
    if (call_first(L) == LUA_OK) continue;
    stuck = state->ready == handle;
    note_error(L, first, errors++ == 0);
  }
  if (lcctx_end(L, id) == CCTX_ENOMEM) lcctx_no_memory(L);
  if (errors > 0) {
    lua_settop(L, first);
    lua_error(L);
  }
  lua_pop(L, 2);
  return count;
}

/* cctx.poll() -> how many callbacks were called */
static int poll_now(lua_State *L) {
  lua_settop(L, 0);
  lua_pushinteger(L, lcctx_poll(L));
  return 1;
}

/* cctx.loop_fd() */
static int loop_fd(lua_State *L) {
  int fd = cctx_loop_fd(lcctx_state_loop(L));
  if (fd >= 0) {
    lua_pushinteger(L, fd);
    return 1;
  }
  luaL_pushfail(L);
  lua_pushliteral(L, "the system has no file descriptor left");
  return 2;
}

/* cctx.loop_next() -> when cctx.poll has something to do */
static int loop_next(lua_State *L) {
  const struct lcctx_state *state = lcctx_state(L);
  int64_t next = state->loop ? cctx_loop_next(state->loop) : CCTX_NEVER;
  if (state->ready != NULL || next < 0) next = 0;
  if (next == CCTX_NEVER)
    lua_pushnil(L);
  else
    lcctx_push_seconds(L, next);
  return 1;
}

void lcctx_observe_init(lua_State *L) {
  static const luaL_Reg metamethods[] = {
      {"__gc", free_handle}, {"__close", off}, {"__tostring", describe}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"off", off}, {NULL, NULL}};
  lua_newtable(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &table_key);
  luaL_newmetatable(L, LCCTX_HANDLE);
  luaL_setfuncs(L, metamethods, 0);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
}

const luaL_Reg lcctx_observe_methods[] = {{"on_done", on_done}, {NULL, NULL}};
const luaL_Reg lcctx_observe_functions[] = {
    {"poll", poll_now}, {"loop_fd", loop_fd}, {"loop_next", loop_next}, {NULL, NULL}};
