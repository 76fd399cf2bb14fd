/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting until a context is done. */
#include "lcctx.h"

#include <poll.h>

static int push_status(lua_State *L, int status) {
  if (status == CCTX_OK)
    lua_pushnil(L);
  else
    lua_pushstring(L, cctx_status_word(status));
  return 1;
}

static void check_end(lua_State *L, const cctx *ctx, int64_t until) {
  if (until == CCTX_NEVER && !cctx_can_be_done(ctx))
    luaL_error(L, "this would wait for ever: the context is never done; give the seconds");
}

/* ctx:wait([seconds]) -> status, or nil when the time is up; the thread is blocked */
static int wait_of(lua_State *L) {
  cctx *ctx = lcctx_check(L, 1);
  int64_t until = lcctx_opt_until(L, 2);
  check_end(L, ctx, until);
  return push_status(L, cctx_wait(ctx, until));
}

static void sleep_for(lua_State *L, cctx *ctx) {
  struct lcctx_state *state = lcctx_state(L);
  struct pollfd fds[2] = {{.fd = cctx_done_fd(ctx), .events = POLLIN},
                          {.fd = -1, .events = POLLIN}};
  if (state->loop) fds[1].fd = cctx_loop_fd(state->loop);
  if (fds[0].fd < 0 || (state->loop && fds[1].fd < 0))
    luaL_error(L, "the system has no file descriptor left to wait with");
  if (state->ready == NULL) poll(fds, 2, -1);
}

/* cctx.wait([seconds]): for the current context, calling back what is due meanwhile. The
 * end is a deadline of a child, so that one descriptor, and a set clock, tell it. */
static int wait_now(lua_State *L) {
  int64_t until = lcctx_opt_until(L, 1);
  cctx *ctx, **child;
  lua_settop(L, 0);
  ctx = lcctx_hold(L, 0);
  check_end(L, ctx, until);
  child = lcctx_new(L);
  lcctx_give(L, child, cctx_with_deadline(ctx, until));
  for (;;) {
    lcctx_poll(L);
    if (cctx_err(*child) != CCTX_OK) return push_status(L, cctx_err(ctx));
    sleep_for(L, *child);
  }
}

const luaL_Reg lcctx_wait_methods[] = {{"wait", wait_of}, {NULL, NULL}};
const luaL_Reg lcctx_wait_functions[] = {{"wait", wait_now}, {NULL, NULL}};
