/* SPDX-License-Identifier: Apache-2.0 */
/* Bound functions, and threads that begin with their creator's context. */
#include <cctx/bind.h>

#include <errno.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static int calls;

/* Which context is current is what `arg` says. */
static void expect(void *ctx) {
  calls++;
  CHECK(cctx_current() == ctx);
}

TEST(a_bound_function_is_called_under_its_context) {
  cctx *ctx = cctx_with_cancel(cctx_background()), *other = cctx_with_cancel(ctx);
  cctx_bound *bound = cctx_bind(ctx, expect, ctx);
  cctx_token token;
  calls = 0;
  CHECK_EQ(cctx_bound_call(bound), 0);
  CHECK(cctx_current() == cctx_background());
  CHECK_EQ(cctx_attach(other, &token), 0);
  CHECK_EQ(cctx_bound_call(bound), 0);
  CHECK(cctx_current() == other);
  cctx_detach(&token);
  CHECK_EQ(calls, 2);
  cctx_bound_free(bound);
  cctx_unref(other);
  cctx_unref(ctx);
}

TEST(what_is_bound_to_no_context_is_bound_to_the_current_one) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  cctx_bound *early = cctx_bind(NULL, expect, cctx_background()), *late;
  cctx_token token;
  CHECK_EQ(cctx_attach(ctx, &token), 0);
  late = cctx_bind(NULL, expect, ctx);
  CHECK_EQ(cctx_bound_call(early), 0); /* not what is current at the call */
  cctx_detach(&token);
  cctx_unref(ctx); /* the bound one keeps it */
  CHECK_EQ(cctx_bound_call(late), 0);
  cctx_bound_free(late);
  cctx_bound_free(early);
  cctx_bound_free(NULL);
}

static void expect_done(void *status) {
  calls++;
  CHECK_EQ(cctx_err(cctx_current()), *(int *)status);
}

TEST(it_is_called_also_when_its_context_is_done) {
  int status = CCTX_ECANCELED;
  cctx *ctx = cctx_with_cancel(cctx_background());
  cctx_bound *bound = cctx_bind(ctx, expect_done, &status);
  calls = 0;
  cctx_finish(ctx);
  CHECK_EQ(cctx_bound_call_once(bound), 0);
  CHECK_EQ(calls, 1);
}

static void count_alive(void *alive) { *(size_t *)alive = cctx_alive(); }

TEST(called_once_it_is_gone_but_its_context_stays_for_the_call) {
  size_t alive = 0;
  cctx_bound *bound;
  cctx *ctx = cctx_with_cancel(cctx_background());
  bound = cctx_bind(ctx, count_alive, &alive);
  cctx_unref(ctx);
  CHECK_EQ(cctx_bound_call_once(bound), 0);
  CHECK_EQ(alive, 1);
  CHECK_EQ(cctx_alive(), 0);
}

static cctx_bound *itself;
static void free_itself(void *unused) {
  (void)unused;
  cctx_bound_free(itself);
  CHECK(cctx_current() != cctx_background());
}

TEST(it_may_be_freed_from_inside_its_call) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  itself = cctx_bind(ctx, free_itself, NULL);
  cctx_unref(ctx);
  CHECK_EQ(cctx_bound_call(itself), 0);
  CHECK(cctx_current() == cctx_background());
}

static bool bind_and_call(cctx *ctx) {
  cctx_bound *bound = cctx_bind(ctx, expect, ctx);
  int status;
  if (bound == NULL) return false;
  calls = 0;
  status = cctx_bound_call(bound);
  CHECK_EQ(calls, status == CCTX_OK);
  CHECK(status == CCTX_OK || status == CCTX_ENOMEM);
  if (status != CCTX_OK || cctx_bound_call_once(bound) != CCTX_OK) cctx_bound_free(bound);
  return status == CCTX_OK;
}

static void *bind_body(void *ctx) {
  FAIL_EACH_ALLOCATION(
      bind_and_call(ctx)); /* on a thread that has no stack of scopes yet */
  return NULL;
}

TEST(a_call_for_which_there_is_no_memory_does_not_happen) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, bind_body, ctx), 0);
  pthread_join(thread, NULL);
  cctx_unref(ctx);
}

/* ---- Threads ---------------------------------------------------------------------- */

static void *answer_current(void *unused) {
  (void)unused;
  return cctx_current();
}

static void *leave_at_once(void *unused) {
  (void)unused;
  pthread_exit(cctx_current());
}

TEST(a_thread_begins_with_the_context_of_its_creator) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  void *(*const bodies[])(void *) = {answer_current, leave_at_once};
  void *seen = NULL;
  pthread_t thread;
  cctx_token token;
  CHECK_EQ(cctx_attach(ctx, &token), 0);
  for (int i = 0; i < 2; i++) {
    CHECK_EQ(cctx_thread_create(&thread, NULL, bodies[i], NULL), 0);
    pthread_join(thread, &seen);
    CHECK(seen == ctx);
  }
  cctx_detach(&token);
  CHECK_EQ(cctx_thread_create(&thread, NULL, answer_current, NULL), 0);
  pthread_join(thread, &seen);
  CHECK(seen == cctx_background());
  cctx_unref(ctx);
}

static pthread_barrier_t barrier;
static void *hold_context(void *unused) {
  (void)unused;
  pthread_barrier_wait(&barrier);
  return (void *)(intptr_t)cctx_err(cctx_current());
}

TEST(a_thread_keeps_its_context_after_the_request_has_ended) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  void *status = NULL;
  pthread_t thread;
  cctx_token token;
  pthread_barrier_init(&barrier, NULL, 2);
  CHECK_EQ(cctx_attach(ctx, &token), 0);
  CHECK_EQ(cctx_thread_create(&thread, NULL, hold_context, NULL), 0);
  cctx_detach(&token);
  cctx_finish(ctx);
  CHECK_EQ(cctx_alive(), 1);
  pthread_barrier_wait(&barrier);
  pthread_join(thread, &status);
  CHECK_EQ((intptr_t)status, CCTX_ECANCELED);
  pthread_barrier_destroy(&barrier);
}

TEST(a_thread_that_the_system_refuses_is_told_as_by_pthread_create) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  cctx_token token;
  pthread_t thread;
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, (size_t)1 << 46); /* more than any machine maps */
  CHECK_EQ(cctx_attach(ctx, &token), 0);
  CHECK_EQ(cctx_thread_create(&thread, &attr, answer_current, NULL), EAGAIN);
  cctx_detach(&token);
  pthread_attr_destroy(&attr);
  cctx_unref(ctx);
}

static atomic_int ran;
static void *note_run(void *unused) {
  atomic_fetch_add(&ran, 1);
  return unused;
}

static bool create_and_join(void) {
  pthread_t thread;
  int before = atomic_load(&ran), error = cctx_thread_create(&thread, NULL, note_run, NULL);
  CHECK(error == 0 || error == ENOMEM);
  if (error == 0) pthread_join(thread, NULL);
  CHECK_EQ(atomic_load(&ran) - before, error == 0);
  return error == 0;
}

TEST(a_thread_whose_context_cannot_be_put_in_place_never_runs) {
  cctx *ctx = cctx_with_cancel(cctx_background());
  cctx_token token;
  CHECK_EQ(cctx_attach(ctx, &token), 0);
  FAIL_EACH_ALLOCATION(create_and_join());
  cctx_detach(&token);
  cctx_unref(ctx);
}

/* ---- Sessions across threads --------------------------------------------------------- */

static cctx_key who = CCTX_KEY_INIT("who");

struct seen {
  pthread_barrier_t turn;
  int state, status;
  bool has_value;
};

static void look(struct seen *seen) {
  cctx_variant value;
  cctx *session = cctx_session_current(&seen->state);
  seen->status = cctx_current_status();
  seen->has_value = cctx_value(cctx_current(), &who, &value) == CCTX_OK;
  cctx_unref(session);
}

static void *look_late(void *arg) {
  struct seen *seen = arg;
  pthread_barrier_wait(&seen->turn);
  pthread_barrier_wait(&seen->turn); /* another request is served by now */
  look(seen);
  return NULL;
}

typedef int create_fn(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

static struct seen see_late(create_fn *create) {
  static struct seen seen;
  cctx *ctx = cctx_with_value(cctx_background(), &who, cctx_text("one"));
  cctx_backup backup;
  pthread_t thread;
  pthread_barrier_init(&seen.turn, NULL, 2);
  CHECK_EQ(cctx_backup_enter(&backup, ctx), 0);
  CHECK_EQ(create(&thread, NULL, look_late, &seen), 0);
  pthread_barrier_wait(&seen.turn);
  cctx_backup_leave(&backup);
  CHECK_EQ(cctx_backup_enter(&backup, cctx_background()), 0);
  pthread_barrier_wait(&seen.turn);
  pthread_join(thread, NULL);
  cctx_backup_leave(&backup);
  pthread_barrier_destroy(&seen.turn);
  cctx_unref(ctx);
  return seen;
}

TEST(a_late_thread_that_inherited_finds_its_session_ended) {
  struct seen seen = see_late(cctx_thread_inherit);
  CHECK_EQ(seen.status, CCTX_CURRENT_ENDED);
  CHECK_EQ(seen.state, CCTX_SESSION_ENDED);
  CHECK(!seen.has_value);
}

TEST(a_late_thread_that_was_handed_the_session_keeps_its_values) {
  struct seen seen = see_late(cctx_thread_create);
  CHECK_EQ(seen.status, CCTX_CURRENT_ATTACHED);
  CHECK_EQ(seen.state, CCTX_SESSION_ENDED);
  CHECK(seen.has_value);
}

static void look_once(void *arg) {
  struct seen *seen = arg;
  look(seen);
  pthread_barrier_wait(&seen->turn);
}

static int go_and_look(void) {
  static struct seen seen;
  cctx *ctx = cctx_with_value(cctx_background(), &who, cctx_text("one"));
  cctx_backup backup;
  pthread_barrier_init(&seen.turn, NULL, 2);
  if (cctx_backup_enter(&backup, ctx) != 0) return 1;
  if (cctx_go(look_once, &seen) != 0) return 2;
  pthread_barrier_wait(&seen.turn);
  cctx_backup_leave(&backup);
  cctx_unref(ctx);
  while (cctx_alive() > 0) sched_yield(); /* until it has given the session back */
  return seen.state == CCTX_SESSION_VALID && seen.has_value ? 0 : 3;
}

/* In a process of its own: nobody can wait for the thread. */
TEST(a_thread_that_nobody_waits_for_works_for_the_session) {
  int status;
  pid_t child = fork();
  if (child == 0) _exit(go_and_look());
  waitpid(child, &status, 0);
  CHECK_EQ(status, 0);
}

TEST(a_thread_that_was_handed_a_session_leaves_nothing_attached) {
  struct cctx_backup_mistakes before, after;
  cctx_backup_mistakes(&before);
  see_late(cctx_thread_create);
  cctx_backup_mistakes(&after);
  CHECK_EQ(after.left, before.left);
}

static bool drop(void *arg, const cctx_variant *value, cctx_variant *captured) {
  (void)arg, (void)value, (void)captured;
  return true;
}

static void note_type(void *type) {
  cctx_variant value = cctx_int(0);
  CHECK_EQ(cctx_value(cctx_current(), &who, &value), 0);
  *(enum cctx_type *)type = value.type;
}

TEST(what_is_bound_or_starts_a_thread_captures_as_keys_say) {
  cctx *ctx = cctx_with_value(cctx_background(), &who, cctx_text("one"));
  enum cctx_type type = CCTX_BOOL;
  cctx_bound *bound;
  CHECK_EQ(cctx_on_capture(&who, drop, NULL), 0);
  bound = cctx_bind(ctx, note_type, &type);
  CHECK_EQ(cctx_bound_call_once(bound), 0);
  CHECK_EQ(type, CCTX_NIL);
  CHECK_EQ(cctx_on_capture(&who, NULL, NULL), 0);
  cctx_unref(ctx);
}
