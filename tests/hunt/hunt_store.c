/* SPDX-License-Identifier: Apache-2.0 */
/* The hunt through the backup store: random schedules over threads, managers and sessions.
 *
 *     hunt_store --seed N --steps N
 *
 * Three threads take turns, so that a schedule is the same each time. The model knows of each
 * session whose it is, inside which it began and what was said of it; of each id the bindings, and
 * of each thread what it entered. Every answer is held against it.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cctx.h>
#include <cctx/interpreter.h>

enum { SESSIONS = 24, THREADS = 3, MANAGERS = 2, IDS = 24, DEPTH = 6, TOKENS = 16 };

/* ---- Chance ---------------------------------------------------------------------------- */

static uint64_t chance = 1;

static unsigned roll(unsigned sides) {
  chance ^= chance << 13;
  chance ^= chance >> 7;
  chance ^= chance << 17;
  return (unsigned)(chance >> 33) % sides;
}

/* ---- What is found --------------------------------------------------------------------- */

static long step_now;

static void wrong(const char *format, ...) {
  va_list arguments;
  printf("WRONG CONTEXT at step %ld: ", step_now);
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
  putchar('\n');
  exit(1);
}

static void expect(const char *what, long long is, long long due) {
  if (is != due) wrong("%s is %lld, not %lld", what, is, due);
}

/* ---- Threads --------------------------------------------------------------------------- */

static struct turn {
  pthread_t thread;
  sem_t begin, end;
  void (*run)(unsigned self);
} turns[THREADS];

static void *take_turns(void *arg) {
  struct turn *turn = arg;
  for (;;) {
    sem_wait(&turn->begin);
    if (turn->run == NULL) return NULL;
    turn->run((unsigned)(turn - turns));
    sem_post(&turn->end);
  }
}

static void start(unsigned self) {
  sem_init(&turns[self].begin, 0, 0);
  sem_init(&turns[self].end, 0, 0);
  if (pthread_create(&turns[self].thread, NULL, take_turns, &turns[self]) != 0) exit(2);
}

static void on(unsigned self, void (*run)(unsigned self)) {
  turns[self].run = run;
  sem_post(&turns[self].begin);
  if (run) sem_wait(&turns[self].end);
}

/* ---- Sessions -------------------------------------------------------------------------- */

static cctx_key whose = CCTX_KEY_INIT("whose"), variable = CCTX_KEY_INIT("variable");

/* A session is identified by a number that only it has, as a value and as metadata. */
static struct session {
  cctx *ctx; /* NULL: none here */
  long long number;
  struct session *outer;
  bool ended, disabled, is_mutable;
  int64_t limit;
  long long variable;
  unsigned inside; /* how many sessions began inside it */
} sessions[SESSIONS];
static long long numbers;

static int64_t clock_now = CCTX_SECOND;

static int state_of(const struct session *of) {
  int state = of ? CCTX_SESSION_VALID : CCTX_SESSION_NONE;
  for (; of; of = of->outer) {
    if (of->ended) return CCTX_SESSION_ENDED;
    if (of->disabled || clock_now >= of->limit) state = CCTX_SESSION_DISABLED;
  }
  return state;
}

static long long number_of(const cctx *ctx) {
  cctx_variant value;
  if (ctx == NULL || cctx_value(ctx, &whose, &value) != CCTX_OK) return 0;
  return value.as.i;
}

static struct session *free_slot(void) {
  for (struct session *at = sessions; at < sessions + SESSIONS; at++)
    if (at->ctx == NULL) return at;
  return NULL;
}

/* One that is there; NULL: none was met. */
static struct session *any_session(void) {
  for (unsigned i = 0; i < 8; i++) {
    struct session *at = &sessions[roll(SESSIONS)];
    if (at->ctx) return at;
  }
  return NULL;
}

/* `session`, whose metadata and value say whose it is: what is bound, entered and recovered. */
static cctx *named(cctx *session, long long number) {
  char text[24];
  cctx *known, *ctx;
  snprintf(text, sizeof text, "%lld", number);
  struct cctx_metadata_pair pairs[] = {{CCTX_REQUEST, "whose", text, strlen(text)},
                                       {CCTX_HOP, "hop", text, strlen(text)}};
  if (cctx_with_metadata(&known, session, pairs, 1 + roll(2), NULL) != 0) exit(2);
  ctx = cctx_with_value(known, &whose, cctx_int(number));
  cctx_unref(known);
  cctx_unref(session);
  return ctx;
}

static void note(struct session *at, cctx *ctx, struct session *outer, int64_t limit) {
  *at = (struct session){.ctx = ctx, .outer = outer, .limit = limit, .number = numbers};
  if (outer) outer->inside++;
}

static void begin_session(void) {
  struct session *at = free_slot(), *outer = roll(2) ? any_session() : NULL;
  int64_t timeout = roll(3) ? CCTX_NEVER : (int64_t)(1 + roll(4)) * CCTX_SECOND;
  cctx *parent = outer ? outer->ctx : cctx_background();
  bool is_mutable = roll(4) == 0;
  if (at == NULL) return;
  note(at,
       named(is_mutable ? cctx_with_variables(parent, timeout)
                        : cctx_with_session(parent, timeout),
             ++numbers),
       outer, cctx_deadline_after(timeout));
  at->is_mutable = is_mutable;
}

static void disable_one(void) {
  struct session *at = any_session();
  int before = at ? state_of(at) : 0;
  if (at == NULL) return;
  int done = cctx_session_disable(at->ctx);
  expect("disabling", done, !at->disabled && before == CCTX_SESSION_VALID);
  at->disabled = true;
}

static void end_one(void) {
  struct session *at = any_session();
  if (at == NULL) return;
  expect("ending", cctx_session_end(at->ctx), !at->ended);
  at->ended = true;
}

static void look_at_one(void) {
  struct session *at = any_session();
  if (at) expect("the state", cctx_session_state(at->ctx), state_of(at));
}

static void use_variable(void) {
  struct session *at = any_session();
  cctx_variant value = cctx_int(0);
  cctx *all;
  if (at == NULL) return;
  all = cctx_variables(at->ctx);
  expect("having variables", all != NULL, at->is_mutable);
  if (all) {
    cctx_value(all, &variable, &value);
    expect("a variable", value.as.i, at->variable);
    cctx_unref(all);
    at->variable = ++numbers;
  }
  expect("setting one", cctx_variable_set(at->ctx, &variable, cctx_int(numbers)),
         at->is_mutable ? CCTX_OK : CCTX_ENOTFOUND);
}

/* ---- Managers -------------------------------------------------------------------------- */

static struct binding {
  struct session *of;
  uint64_t serial;
  int64_t since;
} bindings[MANAGERS][IDS][DEPTH];
static unsigned depth_of[MANAGERS][IDS];
static cctx_manager *managers[MANAGERS];
static const int64_t max_age[MANAGERS] = {0, 3 * CCTX_SECOND};

/* Tokens that were used, or lost their binding otherwise, are tried again. */
static struct token {
  unsigned manager, id;
  uint64_t serial;
} tokens[TOKENS];

/* So many that some fall in one shard, and in one bucket of it. */
static uint64_t id_of(unsigned i) { return i < IDS / 2 ? i : (uint64_t)i << 40; }

static void bind_one(void) {
  unsigned m = roll(MANAGERS), i = roll(IDS), n = depth_of[m][i];
  struct session *at = any_session();
  uint64_t serial;
  if (at == NULL || n == DEPTH) return;
  if (cctx_manager_bind(managers[m], id_of(i), at->ctx, &serial) != 0) exit(2);
  bindings[m][i][n] = (struct binding){at, serial, clock_now};
  depth_of[m][i]++;
  tokens[roll(TOKENS)] = (struct token){m, i, serial};
}

static void unbind_one(void) {
  struct token token = tokens[roll(TOKENS)];
  unsigned i = token.id, m = token.manager, at = 0;
  if (token.serial == 0) return;
  if (roll(8) == 0) i = roll(IDS);
  if (roll(12) == 0) token.serial = 0;
  while (at < depth_of[m][i] && token.serial && bindings[m][i][at].serial != token.serial)
    at++;
  expect("unbinding", cctx_manager_unbind(managers[m], id_of(i), token.serial),
         at < depth_of[m][i] ? CCTX_OK : CCTX_ESTALE);
  depth_of[m][i] = at;
}

static void get_one(unsigned self) {
  unsigned m = roll(MANAGERS), i = roll(IDS), n = depth_of[m][i];
  const struct session *due = n ? bindings[m][i][n - 1].of : NULL;
  int state, due_state = state_of(due);
  cctx *found = cctx_manager_get(managers[m], id_of(i), &state);
  (void)self;
  expect("the state of an id", state, due_state);
  expect("the session of an id", number_of(found),
         due_state == CCTX_SESSION_VALID ? due->number : 0);
  cctx_unref(found);
}

static void sweep_one(void) {
  unsigned m = roll(MANAGERS);
  size_t due = 0, left = 0;
  struct cctx_manager_stats stats;
  for (unsigned i = 0; i < IDS; i++) {
    unsigned kept = 0;
    for (unsigned k = 0; k < depth_of[m][i]; k++) {
      struct binding *at = &bindings[m][i][k];
      bool is_old = max_age[m] && clock_now - at->since >= max_age[m];
      if (is_old || state_of(at->of) != CCTX_SESSION_VALID)
        due++;
      else
        bindings[m][i][kept++] = *at;
    }
    left += depth_of[m][i] = kept;
  }
  expect("what a sweep took", (long long)cctx_manager_sweep(managers[m]), (long long)due);
  cctx_manager_stats(managers[m], &stats);
  expect("what is bound", (long long)stats.bound, (long long)left);
}

/* ---- What is current ------------------------------------------------------------------- */

static struct scope {
  cctx_backup backup; /* if it was entered */
  cctx_token token;   /* else */
  struct session *of;
  bool entered, handed_over;
} scopes[THREADS][DEPTH];
static unsigned scopes_n[THREADS];

static struct session *chosen; /* of the step, as the next */
static unsigned place;

static void enter_one(unsigned self) {
  struct scope *scope = &scopes[self][scopes_n[self]];
  struct session *at = free_slot();
  cctx *base = chosen ? cctx_ref(chosen->ctx) : cctx_ref(cctx_background());
  if (at != NULL && scopes_n[self] < DEPTH) {
    cctx *ctx = named(cctx_ref(base), ++numbers);
    if (cctx_backup_enter(&scope->backup, ctx) != 0) exit(2);
    cctx_unref(ctx);
    note(at, cctx_ref(scope->backup.ctx), chosen, CCTX_NEVER);
    scope->of = at;
    scope->entered = true;
    scope->handed_over = false;
    scopes_n[self]++;
  }
  cctx_unref(base);
}

static void attach_one(unsigned self) {
  struct scope *scope = &scopes[self][scopes_n[self]];
  struct cctx_origin origin = {.lifetime = roll(2) ? CCTX_INHERITED : CCTX_HANDED_OVER};
  if (chosen == NULL || scopes_n[self] == DEPTH) return;
  if (cctx_attach_as(chosen->ctx, &origin, &scope->token) != 0) exit(2);
  scope->of = chosen;
  scope->entered = false;
  scope->handed_over = origin.lifetime == CCTX_HANDED_OVER;
  scopes_n[self]++;
}

static int leave(struct scope *scope) {
  if (!scope->entered) return cctx_detach(&scope->token);
  scope->of->ended = true;
  return cctx_backup_leave(&scope->backup);
}

/* By another thread too: the owner then reads what is below. Those inside end with it. */
static void leave_one(unsigned self) {
  unsigned owner = self, at;
  if (roll(4) == 0) owner = place % THREADS;
  if (scopes_n[owner] == 0) return;
  at = roll(3) ? scopes_n[owner] - 1 : roll(scopes_n[owner]);
  for (unsigned i = at + 1; i < scopes_n[owner]; i++) leave(&scopes[owner][i]);
  expect("leaving", leave(&scopes[owner][at]), CCTX_OK);
  if (roll(4) == 0) expect("leaving twice", leave(&scopes[owner][at]), CCTX_ESTALE);
  scopes_n[owner] = at;
}

static const struct scope *top_of(unsigned self) {
  return scopes_n[self] ? &scopes[self][scopes_n[self] - 1] : NULL;
}

static void ask(unsigned self) {
  const struct scope *top = top_of(self);
  int state, due = state_of(top ? top->of : NULL);
  bool is_over = due == CCTX_SESSION_ENDED && !top->handed_over;
  cctx *found = cctx_session_current(&state);
  expect("the current state", state, due);
  expect("the current session", number_of(found), top && !is_over ? top->of->number : 0);
  cctx_unref(found);
}

static bool has(const cctx *ctx, const char *name, long long due) {
  const char *text = cctx_metadata(ctx, name, NULL);
  return due == 0 ? text == NULL : text && strtoll(text, NULL, 10) == due;
}

static void recover(unsigned self) {
  const struct scope *top = top_of(self);
  struct cctx_recovery how = {.flags = roll(2) ? CCTX_RECOVER_INVALID : 0};
  int state = state_of(top ? top->of : NULL);
  bool is_over = state == CCTX_SESSION_ENDED && !top->handed_over;
  bool may =
      top && !is_over && !top->of->is_mutable && (how.flags || state == CCTX_SESSION_VALID);
  long long own = roll(2) ? ++numbers : 0, due = may ? top->of->number : 0;
  cctx *cur = cctx_ref(cctx_background()), *out;
  struct cctx_recovered did;
  if (own) {
    char text[24];
    struct cctx_metadata_pair pair = {CCTX_REQUEST, "whose", text, 0};
    pair.len = (size_t)snprintf(text, sizeof text, "%lld", own);
    if (cctx_with_metadata(&cur, cctx_background(), &pair, 1, NULL) != 0) exit(2);
  }
  if (cctx_recover(&out, NULL, cur, &how, &did) != 0) exit(2);
  if (!has(out, "whose", own ? own : due))
    wrong("recovered to %s's, not %lld's", cctx_metadata(out, "whose", NULL),
          own ? own : due);
  if (cctx_metadata(out, "hop", NULL)) wrong("what is for one hop was recovered");
  if (did.pairs > 0 && !may) wrong("something was recovered from what is over");
  cctx_unref(out);
  cctx_unref(cur);
}

/* ---- Steps ----------------------------------------------------------------------------- */

static bool is_used(const struct session *of) {
  if (of->inside) return true;
  for (unsigned m = 0; m < MANAGERS; m++)
    for (unsigned i = 0; i < IDS; i++)
      for (unsigned k = 0; k < depth_of[m][i]; k++)
        if (bindings[m][i][k].of == of) return true;
  for (unsigned t = 0; t < THREADS; t++)
    for (unsigned k = 0; k < scopes_n[t]; k++)
      if (scopes[t][k].of == of) return true;
  return false;
}

static void forget_one(void) {
  struct session *at = any_session();
  if (at == NULL || is_used(at)) return;
  if (at->outer) at->outer->inside--;
  cctx_unref(at->ctx);
  at->ctx = NULL;
}

static void pass_time(void) {
  if (roll(4)) return;
  clock_now += CCTX_SECOND;
  cctx_clock_set(clock_now);
}

static void take_step(void) {
  static void (*const here[])(void) = {begin_session, forget_one, forget_one,   disable_one,
                                       end_one,       pass_time,  use_variable, look_at_one,
                                       bind_one,      bind_one,   unbind_one,   sweep_one};
  static void (*const there[])(unsigned self) = {
      get_one, enter_one, attach_one, leave_one, leave_one, ask, ask, recover};
  unsigned step = roll(20);
  if (step < 12) {
    here[step]();
    return;
  }
  chosen = any_session();
  place = roll(THREADS);
  on(roll(THREADS), there[step - 12]);
}

int main(int argc, char **argv) {
  struct cctx_manager_options options = {.shards = 1};
  long steps;
  if (argc != 5 || strcmp(argv[1], "--seed") || strcmp(argv[3], "--steps")) {
    fprintf(stderr, "usage: hunt_store --seed N --steps N\n");
    return 2;
  }
  chance = strtoull(argv[2], NULL, 10) * UINT64_C(0x9e3779b97f4a7c15) + 1;
  steps = atol(argv[4]);
  cctx_clock_set(clock_now);
  for (unsigned i = 0; i < THREADS; i++) start(i);
  for (unsigned m = 0; m < MANAGERS; m++, options.shards = 3) {
    options.max_age = max_age[m];
    if (cctx_manager_new(&managers[m], &options) != 0) return 2;
  }
  for (step_now = 0; step_now < steps; step_now++) take_step();
  for (unsigned t = 0; t < THREADS; t++) {
    while (scopes_n[t] > 0) leave(&scopes[t][--scopes_n[t]]);
    on(t, NULL);
    pthread_join(turns[t].thread, NULL);
  }
  for (unsigned m = 0; m < MANAGERS; m++) cctx_manager_close(managers[m]);
  for (unsigned i = 0; i < SESSIONS; i++) cctx_unref(sessions[i].ctx);
  expect("what is left", (long long)cctx_alive(), 0);
  printf("seed %s: %ld steps, all answers right\n", argv[2], steps);
  return 0;
}
