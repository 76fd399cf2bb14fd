/* SPDX-License-Identifier: Apache-2.0 */
/* Several threads on the same contexts, scopes and keys; ThreadSanitizer runs it too. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cctx.h>

#include "check.h"

enum { ROUNDS = 300, MANY = 4 };

static pthread_barrier_t barrier;
static cctx *shared;

/* check.h counts failures without a lock; what another thread finds is told here. */
static atomic_int wrong;
#define EXPECT(cond)                                                                       \
  do {                                                                                     \
    if (!(cond)) atomic_fetch_add(&wrong, 1);                                              \
  } while (0)

static void begin_round(void) { pthread_barrier_wait(&barrier); }

/* Run `bodies` at once, each with its index as the argument, and wait for all. */
static void together(void *(*const *bodies)(void *), size_t n) {
  pthread_t threads[MANY];
  static size_t index[MANY];
  atomic_store(&wrong, 0);
  CHECK_EQ(pthread_barrier_init(&barrier, NULL, (unsigned)n), 0);
  for (size_t i = 0; i < n; i++) {
    index[i] = i;
    CHECK_EQ(pthread_create(&threads[i], NULL, bodies[i], &index[i]), 0);
  }
  for (size_t i = 0; i < n; i++) CHECK_EQ(pthread_join(threads[i], NULL), 0);
  pthread_barrier_destroy(&barrier);
  CHECK_EQ(atomic_load(&wrong), 0);
}

/* ---- References ------------------------------------------------------------------- */

static cctx *given[ROUNDS];

static void *give_back_given(void *arg) {
  (void)arg;
  for (int i = 0; i < ROUNDS; i++) {
    begin_round();
    cctx_unref(given[i]);
  }
  return NULL;
}

TEST(the_last_of_several_threads_frees) {
  void *(*const bodies[])(void *) = {give_back_given, give_back_given, give_back_given};
  size_t before = cctx_alive();
  for (int i = 0; i < ROUNDS; i++) {
    cctx *parent = cctx_with_cancel(cctx_background());
    given[i] = cctx_with_cancel(parent);
    cctx_unref(parent);
    cctx_ref(given[i]);
    cctx_ref(given[i]);
  }
  together(bodies, 3);
  CHECK_EQ(cctx_alive(), before);
}

static void *derive_and_give_back(void *arg) {
  (void)arg;
  begin_round();
  for (int i = 0; i < 20 * ROUNDS; i++) {
    cctx *child = cctx_with_cancel(shared);
    cctx *grandchild = cctx_with_timeout(child, CCTX_SECOND);
    cctx_finish(child);
    EXPECT(cctx_err(grandchild) == CCTX_ECANCELED);
    cctx_unref(grandchild);
  }
  return NULL;
}

TEST(several_threads_derive_from_one_parent) {
  void *(*const bodies[])(void *) = {derive_and_give_back, derive_and_give_back,
                                     derive_and_give_back};
  shared = cctx_with_timeout(cctx_background(), 1000 * CCTX_SECOND);
  together(bodies, 3);
  CHECK_EQ(cctx_err(shared), 0);
  CHECK_EQ(cctx_alive(), 1);
  cctx_unref(shared);
}

/* ---- Cancellation ----------------------------------------------------------------- */

enum { NODES = 4000 };
static cctx *nodes[NODES][3]; /* parent, child, grandchild */
static atomic_int firsts[NODES];

static void *cancel_nodes(void *arg) {
  size_t which = *(size_t *)arg;
  begin_round(); /* then whoever is behind has less to do, and catches up */
  for (int i = 0; i < NODES; i++) {
    cctx *parent = nodes[i][0];
    if (cctx_cancel(parent, which ? "one" : "two") == 1) atomic_fetch_add(&firsts[i], 1);
    /* Whoever was first: all is done when either call returns. */
    for (int level = 0; level < 3; level++)
      EXPECT(cctx_err(nodes[i][level]) == CCTX_ECANCELED);
  }
  return NULL;
}

static void *watch_nodes(void *arg) {
  (void)arg;
  begin_round();
  for (int i = 0; i < NODES; i++) {
    struct cctx_cause first, again;
    int64_t give_up = cctx_now() + 20 * CCTX_SECOND;
    while (cctx_cause(nodes[i][2], &first) == 0 && cctx_now() < give_up) continue;
    /* A parent is seen done before its children. */
    EXPECT(cctx_err(nodes[i][1]) == CCTX_ECANCELED);
    EXPECT(cctx_err(nodes[i][0]) == CCTX_ECANCELED);
    EXPECT(cctx_cause(nodes[i][0], &again) == CCTX_ECANCELED);
    EXPECT(first.status == again.status && first.time == again.time);
    EXPECT(strcmp(first.message, again.message) == 0 && first.line == again.line);
  }
  return NULL;
}

TEST(of_two_cancelers_one_is_first_and_both_find_all_done) {
  void *(*const bodies[])(void *) = {cancel_nodes, cancel_nodes, watch_nodes};
  for (int i = 0; i < NODES; i++) {
    nodes[i][0] = cctx_with_cancel(cctx_background());
    nodes[i][1] = cctx_with_timeout(nodes[i][0], 1000 * CCTX_SECOND);
    nodes[i][2] = cctx_with_cancel(nodes[i][1]);
    atomic_store(&firsts[i], 0);
  }
  together(bodies, 3);
  for (int i = 0; i < NODES; i++) {
    CHECK_EQ(atomic_load(&firsts[i]), 1);
    for (int level = 0; level < 3; level++) cctx_unref(nodes[i][level]);
  }
}

static atomic_bool canceled;

static void *cancel_shared(void *arg) {
  (void)arg;
  begin_round();
  for (int i = 0; i < 200; i++) EXPECT(cctx_err(shared) == 0);
  EXPECT(cctx_cancel(shared, "stop") == 1);
  atomic_store(&canceled, true);
  return NULL;
}

static void *derive_until_canceled(void *arg) {
  bool was_canceled = false;
  (void)arg;
  begin_round();
  for (int i = 0; !was_canceled && i < 1000000; i++) {
    struct cctx_cause cause;
    was_canceled = atomic_load(&canceled);
    cctx *child = cctx_with_cancel(shared);
    cctx *value = cctx_with_values(child, NULL, 0);
    int before = cctx_err(value);
    int after = cctx_err(child);
    EXPECT(before == 0 || after == before);
    EXPECT(!was_canceled || before == CCTX_ECANCELED);
    if (cctx_cause(value, &cause) != 0) EXPECT(strcmp(cause.message, "stop") == 0);
    cctx_unref(value);
    cctx_unref(child);
  }
  return NULL;
}

TEST(what_is_derived_while_the_parent_is_canceled_is_done_after) {
  void *(*const bodies[])(void *) = {cancel_shared, derive_until_canceled,
                                     derive_until_canceled};
  for (int i = 0; i < 20; i++) {
    shared = cctx_with_cancel(cctx_background());
    atomic_store(&canceled, false);
    together(bodies, 3);
    cctx_unref(shared);
  }
}

/* ---- One answer ------------------------------------------------------------------- */

/* Deadlines that pass while their contexts are canceled: whatever was answered first, by
 * whichever thread, is the answer for good. */
static cctx *timers[ROUNDS][2];
static _Atomic int answers[ROUNDS][2];

static void note(int i, int level) {
  int none = 0, err = cctx_err(timers[i][level]);
  if (err == 0) return;
  if (!atomic_compare_exchange_strong(&answers[i][level], &none, err)) EXPECT(none == err);
}

static void *ask_timers(void *arg) {
  (void)arg;
  for (int i = 0; i < ROUNDS; i++) {
    begin_round();
    for (int n = 0; n < 50; n++) {
      note(i, 1);
      note(i, 0);
    }
  }
  return NULL;
}

static void *cancel_timers(void *arg) {
  (void)arg;
  for (int i = 0; i < ROUNDS; i++) {
    begin_round();
    for (int n = 0; n < i % 30; n++) note(i, 1);
    cctx_cancel(timers[i][0], "canceled");
    note(i, 0);
    note(i, 1);
  }
  return NULL;
}

static void *make_timers_pass(void *arg) {
  (void)arg;
  for (int i = 0; i < ROUNDS; i++) {
    cctx_clock_set(1000 * i);
    begin_round();
    for (int t = 0; t < 40; t++) cctx_clock_set(1000 * i + 10 * t);
  }
  return NULL;
}

TEST(err_never_changes_its_answer) {
  void *(*const bodies[])(void *) = {ask_timers, cancel_timers, ask_timers,
                                     make_timers_pass};
  cctx_clock_set(0);
  for (int i = 0; i < ROUNDS; i++) {
    timers[i][0] = cctx_with_deadline(cctx_background(), 1000 * i + 200);
    timers[i][1] = cctx_with_deadline(timers[i][0], 1000 * i + 150);
    atomic_store(&answers[i][0], 0);
    atomic_store(&answers[i][1], 0);
  }
  together(bodies, 4);
  for (int i = 0; i < ROUNDS; i++) {
    for (int level = 0; level < 2; level++)
      CHECK_EQ(cctx_err(timers[i][level]), atomic_load(&answers[i][level]));
    cctx_unref(timers[i][1]);
    cctx_unref(timers[i][0]);
  }
}

/* ---- Scopes and keys -------------------------------------------------------------- */

static cctx_token passed[ROUNDS];
static _Atomic int results[ROUNDS];

static void *attach_for_another(void *arg) {
  (void)arg;
  cctx *mine = cctx_with_cancel(cctx_background());
  for (int i = 0; i < ROUNDS; i++) {
    cctx_token outer;
    EXPECT(cctx_attach(mine, &outer) == 0);
    EXPECT(cctx_attach(shared, &passed[i]) == 0);
    begin_round();
    cctx *seen = cctx_current(); /* the other may leave it at this moment */
    EXPECT(seen == shared || seen == mine);
    begin_round();
    EXPECT(cctx_current() == mine);
    EXPECT(cctx_detach(&outer) == 0);
    EXPECT(cctx_current() == cctx_background());
  }
  cctx_unref(mine);
  return NULL;
}

static void *detach_for_another(void *arg) {
  (void)arg;
  for (int i = 0; i < ROUNDS; i++) {
    begin_round();
    cctx_token copy = passed[i];
    EXPECT(cctx_current() == cctx_background());
    if (cctx_detach(&copy) == 0) atomic_fetch_add(&results[i], 1);
    begin_round();
    EXPECT(cctx_detach(&copy) == CCTX_ESTALE);
  }
  return NULL;
}

TEST(of_two_threads_that_leave_anothers_scope_one_does) {
  void *(*const bodies[])(void *) = {attach_for_another, detach_for_another,
                                     detach_for_another};
  shared = cctx_with_cancel(cctx_background());
  for (int i = 0; i < ROUNDS; i++) atomic_store(&results[i], 0);
  together(bodies, 3);
  for (int i = 0; i < ROUNDS; i++) CHECK_EQ(atomic_load(&results[i]), 1);
  cctx_unref(shared);
}

static void *leave_own(void *arg) {
  (void)arg;
  for (int i = 0; i < ROUNDS; i++) {
    cctx_token outer;
    EXPECT(cctx_attach(shared, &outer) == 0);
    EXPECT(cctx_attach(shared, &passed[i]) == 0);
    cctx_token copy = passed[i];
    begin_round();
    EXPECT(cctx_detach(&outer) == 0);
    (void)cctx_detach(&copy);
    EXPECT(cctx_current() == cctx_background());
    begin_round();
  }
  return NULL;
}

static void *leave_with_the_owner(void *arg) {
  (void)arg;
  for (int i = 0; i < ROUNDS; i++) {
    begin_round();
    cctx_token copy = passed[i];
    (void)cctx_detach(&copy);
    EXPECT(cctx_current() == cctx_background());
    begin_round();
    EXPECT(cctx_detach(&copy) == CCTX_ESTALE);
  }
  return NULL;
}

TEST(a_scope_may_be_left_by_its_owner_and_another_at_once) {
  void *(*const bodies[])(void *) = {leave_own, leave_with_the_owner};
  shared = cctx_with_cancel(cctx_background());
  together(bodies, 2);
  CHECK_EQ(cctx_alive(), 1);
  cctx_unref(shared);
}

static void *attach_in_turns(void *arg) {
  cctx *mine = cctx_with_cancel(cctx_background());
  cctx_token stale = {NULL, 0};
  (void)arg;
  begin_round();
  for (int i = 0; i < 10 * ROUNDS; i++) {
    cctx_token token;
    EXPECT(cctx_attach(mine, &token) == 0);
    if (stale.scope) EXPECT(cctx_detach(&stale) == CCTX_ESTALE);
    EXPECT(cctx_current() == mine);
    stale = token;
    EXPECT(cctx_detach(&token) == 0);
    EXPECT(cctx_current() == cctx_background());
  }
  cctx_unref(mine);
  return NULL;
}

/* The memory of scopes goes from thread to thread; a stale token follows it. */
TEST(a_stale_token_leaves_other_threads_scopes_alone) {
  void *(*const bodies[])(void *) = {attach_in_turns, attach_in_turns, attach_in_turns};
  together(bodies, 3);
}

static cctx_key *_Atomic agreed[ROUNDS];
static cctx_key raced[ROUNDS];

static void *name_keys(void *arg) {
  (void)arg;
  for (int i = 0; i < ROUNDS; i++) {
    char name[32];
    cctx_key *none = NULL;
    snprintf(name, sizeof name, "key %d", i);
    begin_round();
    cctx_key *found = cctx_key_find(name), *key = cctx_key_named(name);
    EXPECT(key != NULL && (found == NULL || found == key));
    if (!atomic_compare_exchange_strong(&agreed[i], &none, key)) EXPECT(none == key);
    cctx *ctx = cctx_with_value(cctx_background(), &raced[i], cctx_int(i));
    cctx_variant out = cctx_nil();
    EXPECT(cctx_value(ctx, &raced[i], &out) == 0 && out.as.i == i);
    cctx_unref(ctx);
  }
  return NULL;
}

TEST(threads_that_name_a_key_at_once_get_the_same) {
  void *(*const bodies[])(void *) = {name_keys, name_keys, name_keys};
  for (int i = 0; i < ROUNDS; i++) raced[i] = (cctx_key)CCTX_KEY_INIT("raced");
  together(bodies, 3);
  for (int i = 1; i < ROUNDS; i++) {
    CHECK(raced[i].id != 0);
    CHECK(raced[i].id != raced[i - 1].id);
  }
}

/* ---- fork ------------------------------------------------------------------------- */

static atomic_bool stop;

static void *cancel_without_end(void *arg) {
  (void)arg;
  while (!atomic_load(&stop)) cctx_finish(cctx_with_cancel(shared));
  return NULL;
}

/* In the child: whatever the other thread held at the fork must be free. */
static int use_in_child(void) {
  cctx_token token;
  cctx *ctx = cctx_with_cancel(shared);
  bool ok = cctx_attach(ctx, &token) == 0 && cctx_current() == ctx &&
            cctx_cancel(ctx, NULL) == 1 && cctx_err(ctx) == CCTX_ECANCELED &&
            cctx_detach(&token) == 0 && cctx_key_named("in the child") != NULL;
  cctx_unref(ctx);
  return ok ? 0 : 1;
}

TEST(a_child_of_fork_finds_the_lock_free) {
  pthread_t thread;
  shared = cctx_with_cancel(cctx_background());
  atomic_store(&stop, false);
  CHECK_EQ(pthread_create(&thread, NULL, cancel_without_end, NULL), 0);
  for (int i = 0; i < 20; i++) {
    int status = -1;
    pid_t child = fork();
    if (child == 0) _exit(use_in_child());
    CHECK(child > 0);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
  }
  atomic_store(&stop, true);
  CHECK_EQ(pthread_join(thread, NULL), 0);
  CHECK_EQ(cctx_err(shared), 0);
  cctx_unref(shared);
}
