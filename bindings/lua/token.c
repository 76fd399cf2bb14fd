/* SPDX-License-Identifier: Apache-2.0 */
/* A token: what ctx:attach() returns, and what leaves that attach again.
 *
 * It knows its coroutine and the number of its frame, no more: closed too late, or by
 * another coroutine, it finds no such frame, and does nothing.
 */
#include "lcctx.h"

#include <stdatomic.h>

#define LCCTX_TOKEN "cctx.Token"

struct token {
  lua_KContext id; /* of the frame; 0: closed. The user value is the coroutine */
  bool counted;    /* as stale */
};

static _Atomic uint64_t stale_tokens;

uint64_t lcctx_stale_tokens(void) { return atomic_load(&stale_tokens); }

/* ctx:attach() */
static int attach(lua_State *L) {
  struct token *token;
  lcctx_check(L, 1);
  lua_settop(L, 1);
  token = lua_newuserdatauv(L, sizeof *token, 1);
  *token = (struct token){.id = 0};
  luaL_setmetatable(L, LCCTX_TOKEN);
  lua_pushthread(L);
  lua_setiuservalue(L, 2, 1);
  token->id = lcctx_begin(L, 1, CCTX_LIFETIME_AUTO);
  return 1;
}

static bool is_own(lua_State *L) {
  lua_State *owner;
  lua_getiuservalue(L, 1, 1);
  owner = lua_tothread(L, -1);
  lua_pop(L, 1);
  return owner == L;
}

/* CCTX_ESTALE for one that is not current; closed twice, it is no misuse. One that is
 * refused here may still be closed in its place. */
static int leave(lua_State *L) {
  struct token *token = luaL_checkudata(L, 1, LCCTX_TOKEN);
  lua_KContext id = token->id;
  int status;
  if (id == 0) return CCTX_ESTALE;
  status = is_own(L) ? lcctx_end(L, id) : CCTX_ESTALE;
  if (status != CCTX_ESTALE) {
    token->id = 0;
  } else if (!token->counted) {
    token->counted = true;
    atomic_fetch_add(&stale_tokens, 1);
  }
  return status;
}

/* token:close() -> true, or nil and why nothing was changed */
static int close_token(lua_State *L) {
  int status = leave(L);
  if (status == CCTX_ENOMEM) return lcctx_no_memory(L);
  if (status == CCTX_OK) {
    lua_pushboolean(L, 1);
    return 1;
  }
  luaL_pushfail(L);
  lua_pushliteral(L, "not current: it was left before, or was attached in another "
                     "coroutine");
  return 2;
}

static int close_block(lua_State *L) {
  if (leave(L) == CCTX_ENOMEM) return lcctx_no_memory(L);
  return 0;
}

static int describe(lua_State *L) {
  const struct token *token = luaL_checkudata(L, 1, LCCTX_TOKEN);
  lua_pushfstring(L, LCCTX_TOKEN ": %s", token->id ? "open" : "closed");
  return 1;
}

void lcctx_token_init(lua_State *L) {
  static const luaL_Reg metamethods[] = {
      {"__close", close_block}, {"__tostring", describe}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"close", close_token}, {NULL, NULL}};
  luaL_newmetatable(L, LCCTX_TOKEN);
  luaL_setfuncs(L, metamethods, 0);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
}

const luaL_Reg lcctx_token_methods[] = {{"attach", attach}, {NULL, NULL}};
