/* SPDX-License-Identifier: Apache-2.0 */
/* Fibers of a host: switched in the middle of calls of Lua, each a state of its own. */
#include "lua_host.h"

#include <ucontext.h>

static struct fiber {
  ucontext_t registers;
  cctx_stack *scopes;
  lua_State *L;
  cctx *ctx;
  char stack[256 * 1024];
} fibers[2];
static ucontext_t host;
static struct fiber *running;

static void run(struct fiber *fiber) {
  cctx_stack *own = cctx_stack_swap(fiber->scopes);
  running = fiber;
  swapcontext(&host, &fiber->registers);
  fiber->scopes = cctx_stack_swap(own);
}

/* For scripts: let the others run. */
static int pause_here(lua_State *L) {
  (void)L;
  swapcontext(&running->registers, &host);
  return 0;
}

static void call_script(void) {
  lua_State *L = running->L;
  lua_getglobal(L, "script");
  ended_well(L, lua->pcall(L, running->ctx, 0, 1, 0));
}

static void start_fiber(struct fiber *fiber, const char *name, const char *script) {
  fiber->ctx = request(name);
  fiber->L = open_state();
  lua_register(fiber->L, "pause", pause_here);
  ended_well(fiber->L, luaL_dostring(fiber->L, script));
  getcontext(&fiber->registers);
  fiber->registers.uc_stack.ss_sp = fiber->stack;
  fiber->registers.uc_stack.ss_size = sizeof fiber->stack;
  fiber->registers.uc_link = &host;
  makecontext(&fiber->registers, call_script, 0);
}

static void check_said(struct fiber *fiber, const char *what) {
  CHECK_STR(lua_tostring(fiber->L, -1), what);
  lua_close(fiber->L);
  cctx_stack_free(fiber->scopes);
  cctx_unref(fiber->ctx);
}

static const char ask_around_pauses[] = "function script()\n"
                                        "  local seen = {both()}\n"
                                        "  pause()\n"
                                        "  seen[2] = both()\n"
                                        "  seen[3] = as('inner', function()\n"
                                        "    pause()\n"
                                        "    return both()\n"
                                        "  end)\n"
                                        "  seen[4] = both()\n"
                                        "  return table.concat(seen, ' ')\n"
                                        "end\n";

TEST(fibers_in_the_middle_of_calls_of_lua_see_each_their_own) {
  start_fiber(&fibers[0], "a", ask_around_pauses);
  start_fiber(&fibers[1], "b", ask_around_pauses);
  for (int turn = 0; turn < 3; turn++) {
    run(&fibers[0]);
    CHECK_STR(who(), "nobody");
    run(&fibers[1]);
    CHECK_STR(who(), "nobody");
  }
  check_said(&fibers[0], "a a inner a");
  check_said(&fibers[1], "b b inner b");
}
