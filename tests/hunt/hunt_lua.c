/* SPDX-License-Identifier: Apache-2.0 */
/* The hunt for a wrong context in Lua: random schedules of threads, states, coroutines.
 *
 * Usage: hunt_lua --seed N --steps N, or hunt_lua --schedule and the numbers on the input.
 *
 * A schedule is a list of numbers. Whatever runs takes the next one and does what it says:
 * the threads hand a baton to each other, so the same numbers give the same round. Exit
 * status 1: an answer was wrong, and its round's numbers are printed.
 *
 * Left out, because docs/current.md (Limits) says that it cannot be right: finalizers that
 * ask. C below a raw resume sees its resumer's context, as is said there: that is held.
 */
#include "lua_steps.h"

/* ---- The workers: hosts that call Lua ---- */

static void call_main(struct state *state, struct number n) {
  lua_State *L = state->L;
  struct node *under = node(n.a);
  long serial = 0;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &body_key);
  if (n.b & 1) {
    TRACE("cctx_lua_pcall(%ld) in state %d", under->id, (int)(state - world.states));
    serial = push(&me->stack, as(under, INHERITED), L);
    if (cctx_lua_pcall(L, under->ctx, 0, 0, 0) != LUA_OK) lua_pop(L, 1);
  } else {
    TRACE("lua_pcall in state %d", (int)(state - world.states));
    if (lua_pcall(L, 0, 0, 0) != LUA_OK) lua_pop(L, 1);
  }
  end_runs(&state->main, 0);
  leave(&me->stack, serial, false);
  TRACE("the call has ended");
}

/* Resume what was suspended perhaps on another thread. */
static void resume_one(struct state *state, struct number n) {
  struct coroutine *co = &state->coroutines[n.a % COROUTINES];
  lua_State *L;
  int status, results = 0;
  if (co->life != SUSPENDED) return;
  lua_rawgetp(state->L, LUA_REGISTRYINDEX, &coroutine_key);
  lua_pushinteger(state->L, n.a % COROUTINES);
  lua_call(state->L, 1, 1);
  L = lua_tothread(state->L, -1);
  TRACE("resumes coroutine %d of state %d%s", n.a % COROUTINES, (int)(state - world.states),
        n.b & 3 ? "" : ", unmanaged");
  begin_resume(&me->stack, co, current(&me->stack), n.b & 3);
  status =
      n.b & 3 ? cctx_lua_resume(L, NULL, 0, &results) : lua_resume(L, NULL, 0, &results);
  lua_pop(L, status == LUA_OK || status == LUA_YIELD ? results : 1);
  note_resumed(co, status == LUA_YIELD);
  lua_pop(state->L, 1);
}

static void enter(struct number n) {
  struct state *state = &world.states[n.code % STATES];
  int depth = me->depth;
  if (state->busy) return;
  state->busy = true;
  if (n.b < 150)
    call_main(state, n);
  else
    resume_one(state, n);
  me->depth = depth;
  state->busy = false;
}

static void *work(void *worker) {
  struct number n;
  me = worker;
  pthread_mutex_lock(&world.mutex);
  while (world.baton != me->number) pthread_cond_wait(&world.passed, &world.mutex);
  pthread_mutex_unlock(&world.mutex);
  while (n = next(), n.any) {
    hold("in C", current(&me->stack), id_of(cctx_current()));
    if (n.code & 128 || !do_anywhere(n, true)) enter(n);
  }
  me->done = true;
  pthread_mutex_lock(&world.mutex);
  for (int i = 0; i < WORKERS; i++)
    if (!world.workers[i].done) world.baton = i;
  pthread_cond_broadcast(&world.passed);
  pthread_mutex_unlock(&world.mutex);
  return NULL;
}

/* ---- A round ---- */

static void give_back(void) {
  for (int i = 0; i < STATES; i++) lua_close(world.states[i].L);
  for (int i = 0; i < REQUESTS; i++)
    if (world.requests[i].begun) cctx_request_end(&world.requests[i].request);
  for (int i = 0; i < world.tokens_n; i++) cctx_detach(&world.tokens[i].token);
  for (int i = 0; i < NODES; i++) cctx_unref(world.nodes[i].ctx);
}

/* Returns whether all went well. */
static bool play(unsigned *steps, int n, bool tracing) {
  long questions = world.questions;
  memset(&world, 0, sizeof world);
  world.questions = questions;
  world.steps = steps;
  world.n = n;
  world.tracing = tracing;
  marks_n = 0;
  pthread_mutex_init(&world.mutex, NULL);
  pthread_cond_init(&world.passed, NULL);
  for (int i = 0; i < STATES; i++) open_state(&world.states[i], i);
  for (int i = 0; i < NODES; i++) renew_node(i, 200);
  for (int i = 0; i < WORKERS; i++) world.workers[i].number = i;
  for (int i = 0; i < WORKERS; i++)
    if (pthread_create(&world.workers[i].thread, NULL, work, &world.workers[i])) abort();
  for (int i = 0; i < WORKERS; i++) pthread_join(world.workers[i].thread, NULL);
  give_back();
  if (!world.wrong && cctx_alive() != 0) {
    printf("%zu contexts were not given back\n", cctx_alive());
    world.wrong = true;
  }
  return !world.wrong;
}

static unsigned long long random_state;

static unsigned random_step(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return (unsigned)(random_state >> 20) & 0xffffff;
}

static int hunt(unsigned long long seed, long steps) {
  static unsigned numbers[ROUND];
  for (long round = 0; round < steps / ROUND; round++) {
    random_state =
        (seed + 1) * 0x9e3779b97f4a7c15u + (unsigned long long)round * 0xd1342543de82ef95u;
    for (int i = 0; i < 20 + ROUND; i++) numbers[i % ROUND] = random_step();
    if (play(numbers, ROUND, false)) continue;
    printf("seed %llu, round %ld\nschedule:", seed, round);
    for (int i = 0; i < ROUND; i++) printf(" %u", numbers[i]);
    putchar('\n');
    return 1;
  }
  printf("seed %llu: %ld steps, %ld answers right\n", seed, steps, world.questions);
  return 0;
}

static int play_input(void) {
  static unsigned numbers[ROUND];
  int n = 0;
  while (n < ROUND && scanf("%u", &numbers[n]) == 1) n++;
  return play(numbers, n, true) ? 0 : 1;
}

int main(int argc, char **argv) {
  if (argc == 5 && !strcmp(argv[1], "--seed") && !strcmp(argv[3], "--steps"))
    return hunt(strtoull(argv[2], NULL, 10), atol(argv[4]));
  if (argc == 2 && !strcmp(argv[1], "--schedule")) return play_input();
  fprintf(stderr, "usage: hunt_lua --seed N --steps N | hunt_lua --schedule\n");
  return 2;
}
