/* SPDX-License-Identifier: Apache-2.0 */
/* Responses: metadata that goes back to the caller. */
#include "lcctx.h"

/* ctx:with_response([policy]) */
static int with_response(lua_State *L) {
  static const char *const words[] = {"last", "first", "append", NULL};
  enum cctx_response_policy policy;
  cctx **box;
  lcctx_check(L, 1);
  policy = (enum cctx_response_policy)luaL_checkoption(L, 2, "last", words);
  box = lcctx_new(L);
  return lcctx_give(L, box, cctx_with_response(lcctx_check(L, 1), policy));
}

/* ---- Setting ---- */

static int take_set(cctx **unused, cctx *ctx, const struct cctx_metadata_pair *pairs,
                    size_t n, size_t *bad) {
  (void)unused;
  return cctx_response_set(ctx, pairs, n, bad);
}

static int take_received(cctx **unused, cctx *ctx, const struct cctx_metadata_pair *pairs,
                         size_t n, size_t *bad) {
  (void)unused;
  return cctx_response_receive(ctx, pairs, n, bad);
}

/* (name, value) or (table) -> true, or false and why nobody takes it */
static int change(lua_State *L, int self, lcctx_taker *take) {
  int status;
  lua_settop(L, self + 2);
  if (self == 0) {
    lcctx_hold(L, 0);
    lua_insert(L, 1);
  }
  lcctx_check(L, 1);
  status = lcctx_take_pairs(L, take);
  lua_pushboolean(L, status == CCTX_OK);
  if (status == CCTX_OK) return 1;
  lua_pushstring(L, cctx_status_word(status));
  return 2;
}

static int response_set(lua_State *L, int self) { return change(L, self, take_set); }
LCCTX_READER(response_set)

static int response_receive(lua_State *L, int self) {
  return change(L, self, take_received);
}
LCCTX_READER(response_receive)

/* ---- Reading, ending ---- */

static int response(lua_State *L, int self) {
  cctx **box = lcctx_new(L);
  *box = cctx_response(lcctx_subject(L, self));
  return 1;
}
LCCTX_READER(response)

/* ctx:response_end() -> whether this call ended it */
static int response_end(lua_State *L) {
  int status = cctx_response_end(lcctx_check(L, 1));
  if (status == CCTX_EINVAL)
    return luaL_error(L, "this context has no response of its own to end: only what "
                         "with_response or request{response = true} gave has");
  lua_pushboolean(L, status == CCTX_OK);
  return 1;
}

const luaL_Reg lcctx_response_methods[] = {
    {"with_response", with_response},  {"response", response_of},
    {"response_set", response_set_of}, {"response_receive", response_receive_of},
    {"response_end", response_end},    {NULL, NULL},
};
const luaL_Reg lcctx_response_functions[] = {
    {"response", response_now},
    {"response_set", response_set_now},
    {"response_receive", response_receive_now},
    {NULL, NULL},
};
