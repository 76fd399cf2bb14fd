/* SPDX-License-Identifier: Apache-2.0 */
/* Coroutines that keep their context across every switch.
 *
 * A managed resume makes the coroutine's context the thread's, and takes it away again when
 * lua_resume comes back, be it by a return, a yield or an error. Between the two nothing
 * raises. A coroutine without a context follows whoever resumes it.
 *
 * When the body has ended, so has what was given to it: a host that uses the thread for
 * another body must not find the last request's context in it.
 */
#include "lcctx.h"

static bool is_suspended(lua_State *co) {
  lua_Debug frame;
  int status = lua_status(co);
  return status == LUA_YIELD || (status == LUA_OK && !lua_getstack(co, 0, &frame));
}

static bool has_died(lua_State *co) {
  int status = lua_status(co);
  return status != LUA_OK && status != LUA_YIELD;
}

/* The refusal that lua_resume would give: arguments gone, a message in their place. */
static int refuse(lua_State *co, int nargs, int *nresults) {
  lua_settop(co, lua_gettop(co) - nargs);
  lcctx_push_no_memory(co);
  *nresults = 1;
  return LUA_ERRMEM;
}

static void note_end(lua_State *co, struct lcctx_slot *slot, int status) {
  slot->turns++;
  slot->resumed = false;
  slot->resumer = NULL;
  slot->inside = 0;
  if (status == LUA_OK)
    lcctx_slot_clear(slot);
  else if (has_died(co))
    slot->ended = true; /* kept for its closers */
}

int lcctx_resume(lua_State *co, lua_State *from, int nargs, int *nresults) {
  struct lcctx_slot *slot;
  cctx *resumer, *ctx;
  cctx_token token;
  bool found;
  int status;
  if (!is_suspended(co)) return lua_resume(co, from, nargs, nresults); /* says why not */
  slot = lcctx_slot_find(co, &found);
  if (!found) return refuse(co, nargs, nresults);
  resumer = cctx_ref(from ? lcctx_current(from) : cctx_current());
  ctx = lcctx_slot_context(slot);
  if (lcctx_attach(ctx ? ctx : resumer, co, &token) != CCTX_OK) {
    cctx_unref(resumer);
    return refuse(co, nargs, nresults);
  }
  if (slot != NULL) {
    slot->scope = token;
    slot->resumer = resumer;
    slot->resumed = true;
    slot->inside = 1;
    slot->turns++;
  }
  status = lua_resume(co, from, nargs, nresults);
  if (slot == NULL)
    slot = lcctx_slot_find(co, NULL); /* made meanwhile, by a run */
  else
    token = slot->scope; /* a run that ended may have put another there */
  cctx_detach(&token);
  if (slot != NULL) note_end(co, slot, status);
  cctx_unref(resumer);
  return status;
}

/* ---- The functions of the module ---- */

static lua_State *check_coroutine(lua_State *L, int arg) {
  lua_State *co = lua_tothread(L, arg);
  luaL_argexpected(L, co != NULL, arg, "coroutine");
  return co;
}

/* Resume with the `nargs` values on top of `L`: how many results, or -1 and the error. */
static int resume_with(lua_State *L, lua_State *co, int nargs) {
  int status, nresults;
  if (!lua_checkstack(co, nargs)) {
    lua_pushliteral(L, "too many arguments to resume");
    return -1;
  }
  lua_xmove(L, co, nargs);
  status = lcctx_resume(co, L, nargs, &nresults);
  if (status != LUA_OK && status != LUA_YIELD) {
    lua_xmove(co, L, 1);
    return -1;
  }
  if (!lua_checkstack(L, nresults + 1)) {
    lua_pop(co, nresults);
    lua_pushliteral(L, "too many results to resume");
    return -1;
  }
  lua_xmove(co, L, nresults);
  return nresults;
}

static int resume(lua_State *L) {
  lua_State *co = check_coroutine(L, 1);
  int nresults = resume_with(L, co, lua_gettop(L) - 1);
  lua_pushboolean(L, nresults >= 0);
  if (nresults < 0) nresults = 1;
  lua_insert(L, -nresults - 1);
  return nresults + 1;
}

/* It inherits here, once: who resumes it later, and under what, makes no difference. */
static int create(lua_State *L) {
  struct lcctx_slot *slot;
  lua_State *co;
  luaL_checktype(L, 1, LUA_TFUNCTION);
  co = lua_newthread(L);
  if (lcctx_current(L) != cctx_background()) {
    slot = lcctx_slot_need(L, co);
    cctx_unref(lcctx_slot_swap(slot, cctx_ref(lcctx_current(L))));
  }
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  return 1;
}

/* Close what is open in `co` under the context it had, and take that away. */
static int close_body(lua_State *L, lua_State *co) {
  struct lcctx_slot *slot = lcctx_slot_find(co, NULL);
  cctx_token token;
  int status;
  cctx *ctx = slot && slot->ctx ? slot->ctx : lcctx_current(L);
  if (lcctx_attach(ctx, co, &token) != CCTX_OK) return lcctx_no_memory(L);
  if (slot != NULL) slot->inside = 1;
#if LUA_VERSION_RELEASE_NUM >= 50406
  status = lua_closethread(co, L);
#else
  status = lua_resetthread(co);
#endif
  cctx_detach(&token);
  slot = lcctx_slot_find(co, NULL);
  if (slot != NULL) {
    slot->turns++;
    slot->inside = 0;
    lcctx_slot_clear(slot);
  }
  return status;
}

static int close_coroutine(lua_State *L) {
  lua_State *co = check_coroutine(L, 1);
  bool closable = is_suspended(co) || has_died(co);
  if (!closable)
    return luaL_error(L, "cannot close a %s coroutine", co == L ? "running" : "normal");
  if (close_body(L, co) == LUA_OK) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushboolean(L, 0);
  lua_xmove(co, L, 1);
  return 2;
}

static int resume_wrapped(lua_State *L) {
  lua_State *co = lua_tothread(L, lua_upvalueindex(1));
  int nresults = resume_with(L, co, lua_gettop(L));
  int status;
  if (nresults >= 0) return nresults;
  status = lua_status(co);
  if (has_died(co)) { /* nobody else can close it; that gives its error again */
    close_body(L, co);
    lua_xmove(co, L, 1);
  }
  if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

static int wrap(lua_State *L) {
  create(L);
  lua_pushcclosure(L, resume_wrapped, 1);
  return 1;
}

const luaL_Reg lcctx_coroutine_functions[] = {
    {"create", create},         {"wrap", wrap}, {"resume", resume},
    {"close", close_coroutine}, {NULL, NULL},
};
