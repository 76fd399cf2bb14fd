/* SPDX-License-Identifier: Apache-2.0 */
/* Managers under load: nothing is read wrongly, and what was forgotten does not pile up. */
#include <pthread.h>
#include <stdatomic.h>

#include "../check.h"

static cctx_manager *manager_of(const struct cctx_manager_options *options) {
  cctx_manager *manager = NULL;
  CHECK_EQ(cctx_manager_new(&manager, options), 0);
  return manager;
}

static size_t bound(cctx_manager *manager) {
  struct cctx_manager_stats stats;
  cctx_manager_stats(manager, &stats);
  return stats.bound;
}

/* Bind `n` sessions that have ended, and return how many bindings there were at most. */
static size_t most_bound(cctx_manager *manager, int n) {
  size_t most = 0;
  for (int i = 0; i < n; i++) {
    cctx *session = cctx_with_session(cctx_background(), CCTX_NEVER);
    cctx_session_end(session);
    CHECK_EQ(cctx_manager_bind(manager, (uint64_t)i, session, NULL), 0);
    cctx_unref(session);
    if (bound(manager) > most) most = bound(manager);
  }
  return most;
}

TEST(many_that_were_forgotten_are_swept_before_it_is_time) {
  struct cctx_manager_options options = {.shards = 1, .gc_interval = 3600 * CCTX_SECOND};
  cctx_manager *manager = manager_of(&options);
  CHECK(most_bound(manager, 2000) < 600);
  cctx_manager_close(manager);
  options.thread = true; /* which sleeps meanwhile */
  manager = manager_of(&options);
  CHECK(most_bound(manager, 2000) < 600);
  cctx_manager_close(manager);
  options = (struct cctx_manager_options){.shards = 1}; /* nothing sweeps by itself */
  manager = manager_of(&options);
  CHECK_EQ(most_bound(manager, 2000), 2000);
  cctx_manager_close(manager);
}

/* What a stress run reads must be of the id that it asked for. */
enum { IDS = 64, THREADS = 4 };
static cctx_key whose = CCTX_KEY_INIT("whose");
static atomic_llong wrong;
enum { FLAT = 20000 }; /* contexts; without a sweep in time there are ten times as many */

static long long rounds(void) {
  const char *text = getenv("CCTX_THOROUGH");
  return text && *text ? 250000 : 10000; /* of each thread; of all of them 10^6 */
}

static void *serve(void *manager) {
  static atomic_uint next;
  uint64_t mine = atomic_fetch_add(&next, 1) % THREADS;
  for (long long i = 0; i < rounds(); i++) {
    uint64_t id = mine + THREADS * (uint64_t)(i % (IDS / THREADS));
    cctx *session = cctx_with_session(cctx_background(), CCTX_NEVER);
    cctx *ctx = cctx_with_value(session, &whose, cctx_int(i * THREADS + (int64_t)mine));
    cctx_variant value = cctx_int(-1);
    cctx *found;
    uint64_t serial;
    if (cctx_manager_bind(manager, id, ctx, &serial) != 0) atomic_fetch_add(&wrong, 1);
    found = cctx_manager_get(manager, id, NULL);
    if (found) cctx_value(found, &whose, &value);
    if (value.as.i != i * THREADS + (int64_t)mine) atomic_fetch_add(&wrong, 1);
    cctx_unref(found);
    cctx_session_end(session);
    found = cctx_manager_get(manager, id, NULL);
    if (found) atomic_fetch_add(&wrong, 1);
    if (i % 2) cctx_manager_unbind(manager, id, serial); /* or the sweeper has it */
    if (cctx_alive() > FLAT) atomic_fetch_add(&wrong, 1);
    cctx_unref(ctx);
    cctx_unref(session);
  }
  return NULL;
}

TEST(many_sessions_over_few_ids_read_nothing_wrong_and_keep_no_memory) {
  struct cctx_manager_options options = {
      .shards = 16, .gc_interval = 1000000, .thread = true};
  cctx_manager *manager = manager_of(&options);
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, serve, manager);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  CHECK_EQ(atomic_load(&wrong), 0);
  cctx_manager_sweep(manager);
  CHECK_EQ(bound(manager), 0);
  cctx_manager_close(manager); /* what its thread has just taken is given back by then */
  CHECK_EQ(cctx_alive(), 0);
}
