/* SPDX-License-Identifier: Apache-2.0 */
/* Managers: sessions by an id of the host's, and how they are swept. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../check.h"

static cctx *session_of(cctx *parent) {
  cctx *session = cctx_with_session(parent, CCTX_NEVER);
  CHECK(session != NULL);
  return session;
}

static cctx_manager *manager_of(const struct cctx_manager_options *options) {
  cctx_manager *manager = NULL;
  CHECK_EQ(cctx_manager_new(&manager, options), 0);
  return manager;
}

/* What is bound to `id`, without a reference. */
static const cctx *get(cctx_manager *manager, uint64_t id) {
  cctx *ctx = cctx_manager_get(manager, id, NULL);
  cctx_unref(ctx);
  return ctx;
}

static int state_of(cctx_manager *manager, uint64_t id) {
  int state = -1;
  cctx_unref(cctx_manager_get(manager, id, &state));
  return state;
}

static size_t bound(cctx_manager *manager) {
  struct cctx_manager_stats stats;
  cctx_manager_stats(manager, &stats);
  return stats.bound;
}

TEST(S65_a_manager_finds_a_session_by_an_id) {
  cctx_manager *manager = manager_of(NULL);
  cctx *session = session_of(cctx_background());
  uint64_t serial = 0;
  CHECK_EQ(state_of(manager, 7), CCTX_SESSION_NONE);
  CHECK_EQ(cctx_manager_bind(manager, 7, session, &serial), 0);
  CHECK(serial != 0);
  CHECK(get(manager, 7) == session);
  CHECK(get(manager, 8) == NULL);
  CHECK_EQ(cctx_manager_unbind(manager, 7, serial), 0);
  CHECK(get(manager, 7) == NULL);
  CHECK_EQ(cctx_session_state(session), CCTX_SESSION_VALID);
  cctx_unref(session);
  cctx_manager_close(manager);
}

TEST(many_ids_share_a_shard) {
  enum { MANY = 500 };
  struct cctx_manager_options options = {.shards = 1};
  cctx_manager *manager = manager_of(&options);
  static cctx *sessions[MANY];
  for (uint64_t i = 0; i < MANY; i++) {
    sessions[i] = session_of(cctx_background());
    CHECK_EQ(cctx_manager_bind(manager, i << 32, sessions[i], NULL), 0);
  }
  for (uint64_t i = 0; i < MANY; i++) CHECK(get(manager, i << 32) == sessions[i]);
  for (uint64_t i = 0; i < MANY; i += 2)
    CHECK_EQ(cctx_manager_unbind(manager, i << 32, 0), 0);
  for (uint64_t i = 0; i < MANY; i++) {
    CHECK(get(manager, i << 32) == (i % 2 ? sessions[i] : NULL));
    cctx_unref(sessions[i]);
  }
  cctx_manager_close(manager);
}

TEST(unbinding_an_inner_binding_of_an_id_restores_the_outer) {
  cctx_manager *manager = manager_of(NULL);
  cctx *outer = session_of(cctx_background()), *inner = session_of(cctx_background());
  struct cctx_manager_stats stats;
  uint64_t first, second;
  CHECK_EQ(cctx_manager_bind(manager, 7, outer, &first), 0);
  CHECK_EQ(cctx_manager_bind(manager, 7, inner, &second), 0);
  CHECK(get(manager, 7) == inner);
  CHECK_EQ(cctx_manager_unbind(manager, 7, second), 0);
  CHECK(get(manager, 7) == outer);
  CHECK_EQ(cctx_manager_unbind(manager, 7, second), CCTX_ESTALE);
  CHECK_EQ(cctx_manager_unbind(manager, 8, first), CCTX_ESTALE);
  CHECK(get(manager, 7) == outer);
  cctx_manager_stats(manager, &stats);
  CHECK_EQ(stats.stale, 2);
  CHECK_EQ(stats.bound, 1);
  cctx_manager_close(manager);
  cctx_unref(inner);
  cctx_unref(outer);
}

static char said[256];
static void note_line(void *arg, const char *line) {
  (void)arg;
  snprintf(said, sizeof said, "%s", line);
}

TEST(in_strict_mode_an_unbind_that_finds_nothing_is_said) {
  cctx_set_log(note_line, NULL);
  cctx_strict(1);
  CHECK_EQ(cctx_manager_unbind(NULL, 7, 3), CCTX_ESTALE);
  cctx_strict(0);
  cctx_set_log(NULL, NULL);
  CHECK(strncmp(said, "id 7 has no binding with the serial 3", 37) == 0);
}

TEST(unbinding_an_outer_binding_ends_those_inside) {
  cctx_manager *manager = manager_of(NULL);
  cctx *session = session_of(cctx_background());
  uint64_t first, second;
  CHECK_EQ(cctx_manager_bind(manager, 7, session, &first), 0);
  CHECK_EQ(cctx_manager_bind(manager, 7, session, &second), 0);
  CHECK_EQ(cctx_manager_unbind(manager, 7, first), 0);
  CHECK_EQ(cctx_manager_unbind(manager, 7, second), CCTX_ESTALE);
  CHECK_EQ(cctx_manager_bind(manager, 7, session, NULL), 0);
  CHECK_EQ(cctx_manager_bind(manager, 7, session, NULL), 0);
  CHECK_EQ(cctx_manager_unbind(manager, 7, 0), 0);
  CHECK_EQ(bound(manager), 0);
  cctx_unref(session);
  cctx_manager_close(manager);
}

/* A binding that somebody forgot is of its own request, never of the next; nor is what is below it
 * brought back. */
TEST(what_is_not_valid_is_not_given) {
  cctx_manager *manager = manager_of(NULL);
  cctx *outer = session_of(cctx_background()), *inner = session_of(cctx_background());
  CHECK_EQ(cctx_manager_bind(manager, 7, outer, NULL), 0);
  CHECK_EQ(cctx_manager_bind(manager, 7, inner, NULL), 0);
  cctx_session_disable(inner);
  CHECK(get(manager, 7) == NULL);
  CHECK_EQ(state_of(manager, 7), CCTX_SESSION_DISABLED);
  cctx_session_end(inner);
  CHECK(get(manager, 7) == NULL);
  CHECK_EQ(state_of(manager, 7), CCTX_SESSION_ENDED);
  cctx_manager_close(manager);
  cctx_unref(inner);
  cctx_unref(outer);
}

/* In the reference it is taken, and kills the sweeper. */
TEST(nothing_and_what_is_no_session_cannot_be_bound) {
  cctx_manager *manager = manager_of(NULL);
  CHECK_EQ(cctx_manager_bind(manager, 7, NULL, NULL), CCTX_EINVAL);
  CHECK_EQ(cctx_manager_bind(manager, 7, cctx_background(), NULL), CCTX_EINVAL);
  CHECK_EQ(cctx_manager_sweep(manager), 0);
  cctx_manager_close(manager);
}

TEST(options_out_of_their_bounds_make_no_manager) {
  struct cctx_manager_options options = CCTX_MANAGER_OPTIONS;
  cctx_manager *manager = NULL;
  options.shards = 0;
  CHECK_EQ(cctx_manager_new(&manager, &options), CCTX_EINVAL);
  options.shards = 1;
  options.gc_interval = -1;
  CHECK_EQ(cctx_manager_new(&manager, &options), CCTX_EINVAL);
  options.gc_interval = 0;
  options.max_age = -1;
  CHECK_EQ(cctx_manager_new(&manager, &options), CCTX_EINVAL);
  CHECK(manager == NULL);
}

/* ---- Sweeping --------------------------------------------------------------------- */

TEST(a_sweep_takes_what_ended_or_was_disabled_and_nothing_else) {
  cctx_manager *manager = manager_of(NULL);
  cctx *sessions[4];
  struct cctx_manager_stats stats;
  cctx_clock_set(0);
  for (uint64_t i = 0; i < 4; i++) {
    sessions[i] = cctx_with_session(cctx_background(), i == 3 ? 10 : CCTX_NEVER);
    CHECK_EQ(cctx_manager_bind(manager, i, sessions[i], NULL), 0);
  }
  cctx_session_end(sessions[0]);
  cctx_session_disable(sessions[1]);
  cctx_clock_set(10);
  CHECK_EQ(cctx_manager_sweep(manager), 3);
  CHECK(get(manager, 2) == sessions[2]);
  cctx_manager_stats(manager, &stats);
  CHECK_EQ(stats.bound, 1);
  CHECK_EQ(stats.swept, 3);
  for (int i = 0; i < 4; i++) cctx_unref(sessions[i]);
  cctx_manager_close(manager);
}

/* The reference's sweep frees only what somebody disabled: who forgets to unbind leaks for ever. */
TEST(a_binding_that_was_forgotten_goes_with_its_age) {
  struct cctx_manager_options options = CCTX_MANAGER_OPTIONS;
  cctx_manager *manager;
  options.max_age = 1000;
  cctx_clock_set(0);
  manager = manager_of(&options);
  for (uint64_t i = 0; i < 1000; i++) {
    cctx *session = session_of(cctx_background());
    CHECK_EQ(cctx_manager_bind(manager, i, session, NULL), 0);
    cctx_unref(session);
  }
  cctx_clock_set(999);
  CHECK_EQ(cctx_manager_sweep(manager), 0);
  cctx_clock_set(1000);
  CHECK_EQ(cctx_manager_sweep(manager), 1000);
  CHECK_EQ(cctx_alive(), 0);
  cctx_manager_close(manager);
}

TEST(who_binds_sweeps_its_shard_when_that_is_due) {
  struct cctx_manager_options options = {.shards = 1, .gc_interval = 100};
  cctx *over = session_of(cctx_background()), *session = session_of(cctx_background());
  cctx_manager *manager;
  cctx_clock_set(0);
  manager = manager_of(&options);
  CHECK_EQ(cctx_manager_bind(manager, 1, over, NULL), 0);
  cctx_session_end(over);
  cctx_clock_set(99);
  CHECK_EQ(cctx_manager_bind(manager, 2, session, NULL), 0);
  CHECK_EQ(bound(manager), 2);
  cctx_clock_set(100);
  CHECK_EQ(cctx_manager_bind(manager, 3, session, NULL), 0);
  CHECK_EQ(bound(manager), 2); /* the one that is over went */
  cctx_manager_close(manager);
  cctx_unref(session);
  cctx_unref(over);
}

TEST(without_an_interval_nothing_sweeps_by_itself) {
  struct cctx_manager_options options = {.shards = 1, .gc_interval = 0, .thread = true};
  cctx *session = session_of(cctx_background());
  cctx_manager *manager;
  cctx_clock_set(0);
  manager = manager_of(&options);
  CHECK_EQ(cctx_manager_bind(manager, 1, session, NULL), 0);
  cctx_session_end(session);
  cctx_clock_set(INT64_MAX - 1);
  CHECK_EQ(cctx_manager_bind(manager, 2, session, NULL), 0);
  CHECK_EQ(bound(manager), 2);
  cctx_manager_close(manager);
  cctx_unref(session);
}

static int threads_now(void) {
  FILE *file = fopen("/proc/self/status", "r");
  char line[128];
  int n = -1;
  while (file && fgets(line, sizeof line, file))
    if (sscanf(line, "Threads: %d", &n) == 1) break;
  if (file) fclose(file);
  return n;
}

static int threads_after_closing(int managers, int most) {
  struct cctx_manager_options options = {
      .shards = 1, .gc_interval = 3600 * CCTX_SECOND, .thread = true};
  for (int i = 0; i < managers; i++) cctx_manager_close(manager_of(&options));
  for (int i = 0; i < 1000 && threads_now() > most; i++) usleep(200); /* QEMU's linger */
  return threads_now();
}

/* The reference stops the ticker, and leaves the thread behind. */
TEST(closing_a_manager_leaves_no_thread_behind) {
  int after_one = threads_after_closing(1, 1); /* a sanitizer has one of its own by then */
  CHECK(threads_after_closing(50, after_one) <= after_one);
}

static void wait_until_swept(cctx_manager *manager, uint64_t n) {
  struct cctx_manager_stats stats;
  do {
    usleep(200);
    cctx_manager_stats(manager, &stats);
  } while (stats.swept < n);
}

TEST(a_thread_sweeps_by_itself) {
  struct cctx_manager_options options = {.shards = 4, .gc_interval = 1000, .thread = true};
  cctx_manager *manager = manager_of(&options);
  for (uint64_t i = 0; i < 10; i++) {
    cctx *session = session_of(cctx_background());
    cctx_session_end(session);
    CHECK_EQ(cctx_manager_bind(manager, i, session, NULL), 0);
    cctx_unref(session);
  }
  wait_until_swept(manager, 10);
  CHECK_EQ(bound(manager), 0);
  cctx_manager_close(manager);
}

static cctx_manager *of_hook;
static atomic_int hooked;
static void bind_in_hook(void *ptr) {
  cctx *session = cctx_with_session(cctx_background(), CCTX_NEVER);
  (void)ptr;
  CHECK_EQ(cctx_manager_bind(of_hook, 1, session, NULL),
           0); /* into the shard that is swept */
  cctx_unref(session);
  atomic_fetch_add(&hooked, 1);
}

TEST(what_is_swept_is_given_back_with_no_lock_held) {
  static cctx_key key = CCTX_KEY_INIT("hooked");
  struct cctx_manager_options options = {.shards = 1};
  cctx_manager *manager = of_hook = manager_of(&options);
  cctx *session = session_of(cctx_background());
  cctx *ctx = cctx_with_value(session, &key, cctx_pointer(&key, NULL, bind_in_hook, NULL));
  CHECK_EQ(cctx_manager_bind(manager, 1, ctx, NULL), 0);
  cctx_session_end(session);
  cctx_unref(ctx);
  cctx_unref(session);
  CHECK_EQ(cctx_manager_sweep(manager), 1);
  CHECK_EQ(atomic_load(&hooked), 1);
  CHECK_EQ(state_of(manager, 1), CCTX_SESSION_VALID);
  cctx_manager_close(manager);
}

/* ---- The default one ----------------------------------------------------------------- */

TEST(the_default_manager_can_be_closed_and_is_made_anew) {
  cctx *session = session_of(cctx_background());
  CHECK_EQ(cctx_manager_bind(NULL, 7, session, NULL), 0);
  CHECK(get(NULL, 7) == session);
  cctx_manager_close(NULL);
  CHECK(get(NULL, 7) == NULL);
  CHECK_EQ(cctx_manager_unbind(NULL, 7, 0), CCTX_ESTALE);
  CHECK_EQ(cctx_manager_bind(NULL, 7, session, NULL), 0);
  CHECK(get(NULL, 7) == session);
  cctx_manager_close(NULL);
  cctx_manager_close(NULL);
  cctx_unref(session);
}

static void close_default(void *ptr) {
  (void)ptr;
  cctx_manager_close(NULL);
  atomic_fetch_add(&hooked, 1);
}

static int close_from_inside(void) {
  static cctx_key key = CCTX_KEY_INIT("closing");
  struct cctx_backup_options options = CCTX_BACKUP_OPTIONS;
  cctx *session = session_of(cctx_background());
  cctx *ctx = cctx_with_value(session, &key, cctx_pointer(&key, NULL, close_default, NULL));
  atomic_store(&hooked, 0);
  options.manager.gc_interval = 1000;
  options.manager.thread = true;
  if (cctx_backup_configure(&options) != 0) return 1;
  if (cctx_manager_bind(NULL, 1, ctx, NULL) != 0) return 2;
  cctx_unref(ctx);
  cctx_session_end(session);
  cctx_unref(session);
  while (atomic_load(&hooked) == 0) usleep(200); /* a sanitizer has threads of its own */
  for (int i = 0; i < 1000 && threads_now() > 2; i++) usleep(200);
  return get(NULL, 1) == NULL ? 0 : 3;
}

/* In a process of its own: nobody can wait for that thread. */
TEST(the_default_manager_may_be_closed_by_what_its_own_thread_gives_back) {
  int status;
  pid_t child = fork();
  if (child == 0) _exit(close_from_inside());
  waitpid(child, &status, 0);
  CHECK_EQ(status, 0);
}

static void close_the_hooks(void *ptr) {
  (void)ptr;
  cctx_manager_close(of_hook);
  atomic_fetch_add(&hooked, 1);
}

/* Two shards: the second is looked at after the hook. Unbinding and binding give back last. */
TEST(a_manager_may_be_closed_by_what_its_sweep_gives_back) {
  static cctx_key key = CCTX_KEY_INIT("closing");
  struct cctx_manager_options options = {.shards = 2, .gc_interval = 1};
  for (int way = 0; way < 3; way++) {
    cctx *session = session_of(cctx_background()), *other = session_of(cctx_background());
    cctx *ctx =
        cctx_with_value(session, &key, cctx_pointer(&key, NULL, close_the_hooks, NULL));
    cctx_clock_set(0);
    of_hook = manager_of(&options);
    atomic_store(&hooked, 0);
    CHECK_EQ(cctx_manager_bind(of_hook, 0, ctx, NULL), 0);
    CHECK_EQ(cctx_manager_bind(of_hook, 1, other, NULL), 0);
    cctx_unref(ctx);
    cctx_session_end(session);
    cctx_clock_set(10);
    if (way == 0) CHECK_EQ(cctx_manager_sweep(of_hook), 1);
    if (way == 1) CHECK_EQ(cctx_manager_unbind(of_hook, 0, 0), 0);
    if (way == 2) CHECK_EQ(cctx_manager_bind(of_hook, 2, other, NULL), 0);
    CHECK_EQ(atomic_load(&hooked), 1);
    cctx_unref(session);
    cctx_unref(other);
  }
}

static void note_id(void *arg, const struct cctx_session_info *info) {
  if (info->is_bound) *(uint64_t *)arg += info->id;
}

TEST(the_list_of_sessions_has_the_bindings_of_all_managers) {
  cctx_manager *manager = manager_of(NULL);
  cctx *session = session_of(cctx_background());
  uint64_t sum = 0;
  CHECK_EQ(cctx_manager_bind(manager, 7, session, NULL), 0);
  CHECK_EQ(cctx_manager_bind(NULL, 11, session, NULL), 0);
  CHECK_EQ(cctx_sessions(0, note_id, &sum), 3);
  CHECK_EQ(sum, 18);
  cctx_manager_close(manager);
  cctx_manager_close(NULL);
  cctx_unref(session);
}

/* ---- Forks, threads, memory -------------------------------------------------------- */

static atomic_bool over;
static void *bind_and_unbind(void *manager) {
  cctx *session = session_of(cctx_background());
  for (uint64_t id = 0; !atomic_load(&over); id = (id + 1) % 8) {
    CHECK_EQ(cctx_manager_bind(manager, id, session, NULL), 0);
    CHECK_EQ(cctx_manager_unbind(manager, id, 0), 0);
  }
  cctx_unref(session);
  return NULL;
}

static int work_in_child(cctx_manager *manager) {
  cctx *session = cctx_with_session(cctx_background(), CCTX_NEVER);
  bool ok = session && cctx_manager_bind(manager, 100, session, NULL) == 0 &&
            get(manager, 100) == session;
  cctx_session_end(session);
  ok = ok && cctx_manager_sweep(manager) >= 1;
  cctx_unref(session);
  cctx_manager_close(manager);
  return ok ? 0 : 1;
}

TEST(a_manager_works_in_the_child_of_a_fork_without_its_thread) {
  struct cctx_manager_options options = {.shards = 2, .gc_interval = 1000, .thread = true};
  cctx_manager *manager = manager_of(&options);
  pthread_t thread;
  atomic_store(&over, false);
  pthread_create(&thread, NULL, bind_and_unbind, manager);
  for (int i = 0; i < 20; i++) {
    int status;
    pid_t child = fork();
    if (child == 0) _exit(work_in_child(manager));
    waitpid(child, &status, 0);
    CHECK_EQ(status, 0);
  }
  atomic_store(&over, true);
  pthread_join(thread, NULL);
  cctx_manager_close(manager);
}

static bool make_bind_and_sweep(void) {
  struct cctx_manager_options options = {.shards = 1};
  cctx_manager *manager = NULL;
  cctx *session = cctx_with_session(cctx_background(), CCTX_NEVER);
  bool ok = session && cctx_manager_new(&manager, &options) == 0;
  ok = ok && cctx_manager_bind(manager, 1, session, NULL) == 0;
  if (session) cctx_session_end(session);
  ok = ok && cctx_manager_sweep(manager) == 1;
  cctx_unref(session);
  if (manager) cctx_manager_close(manager);
  return ok;
}

static bool bind_to_default(void) {
  cctx *session = cctx_with_session(cctx_background(), CCTX_NEVER);
  bool ok = session && cctx_manager_bind(NULL, 1, session, NULL) == 0;
  cctx_unref(session);
  cctx_manager_close(NULL);
  return ok;
}

TEST(managers_survive_lack_of_memory) {
  FAIL_EACH_ALLOCATION(make_bind_and_sweep());
  FAIL_EACH_ALLOCATION(bind_to_default());
}
