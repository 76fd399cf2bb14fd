/* SPDX-License-Identifier: Apache-2.0 */
/* A run: a function that is called under a context, and may yield.
 *
 * It begins by writing the coroutine's slot; if the coroutine is managed it also attaches a
 * scope, so that C code sees the same. A yield takes that scope away, together with the
 * resume's; the next managed resume attaches the slot's context, which is the run's. So at
 * its end a run either still has its scope and leaves it, or a managed resume came between:
 * then that resume's own scope holds the run's context, and is replaced by one
 * with what the coroutine has outside the run. The slot's `turns` tell which it is.
 *
 * The main coroutine, when it cannot yield, needs no slot: its run is a plain bracket.
 */
#include "lcctx.h"

struct frame {
  cctx *outer;             /* owned: what the slot had */
  struct lcctx_slot *slot; /* of the running coroutine, hence alive; NULL: a bracket */
  uint64_t turns;          /* of the slot, at the beginning */
  bool attached;
  cctx_token token;
};

static const char metatable_key;

/* Of a run that was abandoned in the middle, with its coroutine. */
static int free_frame(lua_State *L) {
  struct frame *frame = lua_touserdata(L, 1);
  cctx *outer = frame->outer;
  frame->outer = NULL;
  cctx_unref(outer);
  return 0;
}

static struct frame *new_frame(lua_State *L) {
  struct frame *frame = lua_newuserdatauv(L, sizeof *frame, 0);
  *frame = (struct frame){.outer = NULL};
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, free_frame);
    lua_setfield(L, -2, "__gc");
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &metatable_key);
  }
  lua_setmetatable(L, -2);
  return frame;
}

static bool is_bracket(lua_State *L) {
  bool main = lua_pushthread(L) != 0;
  lua_pop(L, 1);
  return main && !lua_isyieldable(L);
}

static void begin(lua_State *L, struct frame *frame) {
  bool bracket = is_bracket(L), managed = bracket || lcctx_managed(L);
  struct lcctx_slot *slot = bracket ? NULL : lcctx_slot_need(L, L);
  cctx *ctx = lcctx_check(L, 1);
  if (slot != NULL && managed && slot->inside == 0) slot->inside = 1; /* it is new */
  if (managed) {
    if (lcctx_attach(ctx, L, &frame->token) != CCTX_OK) lcctx_no_memory(L);
    frame->attached = true;
  }
  if (slot == NULL) return;
  frame->slot = slot;
  frame->turns = slot->turns;
  frame->outer = lcctx_slot_swap(slot, cctx_ref(ctx));
}

/* The scope of the present resume, anew: the same place on the thread, another context. If
 * there is no memory for it the coroutine is unmanaged from here on; Lua asks the slot. */
static int reattach(lua_State *L, struct lcctx_slot *slot) {
  cctx *ctx = lcctx_slot_context(slot);
  if (cctx_detach(&slot->scope) != CCTX_OK) return CCTX_OK; /* somebody ended it */
  return lcctx_attach(ctx ? ctx : slot->resumer, L, &slot->scope);
}

static int end(lua_State *L, struct frame *frame) {
  struct lcctx_slot *slot = frame->slot;
  int status = CCTX_OK;
  cctx *inner = NULL;
  bool resumed_since = slot && slot->turns != frame->turns;
  if (slot != NULL) {
    inner = lcctx_slot_swap(slot, frame->outer);
    frame->outer = NULL;
  }
  if (!resumed_since && frame->attached)
    cctx_detach(&frame->token);
  else if (resumed_since && slot->resumed)
    status = reattach(L, slot);
  cctx_unref(inner);
  return status;
}

/* Stack: context, frame, then the results or the error. */
static int finish(lua_State *L, int status, lua_KContext unused) {
  (void)unused;
  if (end(L, lua_touserdata(L, 2)) != CCTX_OK) return lcctx_no_memory(L);
  if (status != LUA_OK && status != LUA_YIELD) return lua_error(L);
  return lua_gettop(L) - 2;
}

void lcctx_check_callable(lua_State *L, int arg) {
  if (lua_isfunction(L, arg)) return;
  if (luaL_getmetafield(L, arg, "__call") == LUA_TNIL) luaL_typeerror(L, arg, "function");
  lua_pop(L, 1);
}

/* ctx:run(f, ...) */
static int run(lua_State *L) {
  struct frame *frame;
  lcctx_check(L, 1);
  lcctx_check_callable(L, 2);
  frame = new_frame(L);
  lua_insert(L, 2);
  begin(L, frame);
  return finish(L, lua_pcallk(L, lua_gettop(L) - 3, LUA_MULTRET, 0, 0, finish), 0);
}

static int run_bound(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_insert(L, 2);
  return run(L);
}

/* The reference is the bound function's own: closing `ctx` does not take it away. */
static int bind(lua_State *L) {
  lcctx_check_callable(L, 1);
  lcctx_hold(L, lua_isnoneornil(L, 2) ? 0 : 2);
  lua_pushvalue(L, 1);
  lua_pushcclosure(L, run_bound, 2);
  return 1;
}

const luaL_Reg lcctx_run_methods[] = {{"run", run}, {NULL, NULL}};
const luaL_Reg lcctx_run_functions[] = {{"bind", bind}, {NULL, NULL}};
