/* SPDX-License-Identifier: Apache-2.0 */
/* Managers: shards, a way to sweep them, and the one that is everybody's.
 *
 * A manager that was made is its maker's. The default one may be closed at any time, so
 * whoever uses it holds it meanwhile; any is held while it is swept, as a release hook that
 * runs then may close it; and the last to let go frees it. Locks go from the list of managers to a shard; a shard's is held alone otherwise.
 */
#include "manager.h"

#include <inttypes.h>
#include <string.h>

#include "alarm.h"
#include "config.h"
#include "list.h"
#include "memory.h"
#include "shard.h"
#include "strict.h"
#include "sweeper.h"

struct cctx_manager {
  atomic_uint holders;
  struct list link; /* in the list of managers, until it is closed */
  struct cctx_manager_options options;
  struct sweeper *sweeper; /* NULL: none; gone when it is closed */
  unsigned epoch;          /* of the process that has its thread */
  _Atomic uint64_t swept, stale;
  size_t n;
  struct shard shards[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the next two */
static struct list managers = {&managers, &managers};
static cctx_manager *common; /* the default one; NULL: not made yet */
static _Atomic uint64_t stale_of_all;

/* ---- Forks: all locks are free in the child ------------------------------------- */

static cctx_manager *next_of(struct list *at) {
  return at->next == &managers ? NULL : LIST_ELEMENT(at->next, cctx_manager, link);
}

static void lock_all(void) {
  pthread_mutex_lock(&lock);
  for (cctx_manager *at = next_of(&managers); at; at = next_of(&at->link))
    for (size_t i = 0; i < at->n; i++) pthread_mutex_lock(&at->shards[i].lock);
}

static void unlock_all(void) {
  for (cctx_manager *at = next_of(&managers); at; at = next_of(&at->link))
    for (size_t i = 0; i < at->n; i++) pthread_mutex_unlock(&at->shards[i].lock);
  pthread_mutex_unlock(&lock);
}

__attribute__((constructor)) static void guard_forks(void) {
  pthread_atfork(lock_all, unlock_all, unlock_all);
}

/* ---- Making and closing ----------------------------------------------------------- */

static void let_go(cctx_manager *manager) {
  if (atomic_fetch_sub(&manager->holders, 1) > 1) return;
  for (size_t i = 0; i < manager->n; i++) cctx__shard_empty(&manager->shards[i]);
  cctx__free(manager);
}

static size_t sweep(cctx_manager *manager);

static void sweep_for(void *memory) {
  cctx_manager *manager = memory;
  atomic_fetch_add(&manager->holders, 1);
  sweep(manager);
  let_go(manager);
}

static void close_it(cctx_manager *manager) {
  pthread_mutex_lock(&lock);
  list_remove(&manager->link);
  pthread_mutex_unlock(&lock);
  cctx__sweeper_stop(manager->sweeper);
  let_go(manager);
}

static cctx_manager *make(const struct cctx_manager_options *options) {
  size_t n = (size_t)options->shards;
  cctx_manager *manager = cctx__alloc(sizeof *manager + n * sizeof *manager->shards);
  int64_t now = cctx_now();
  if (manager == NULL) return NULL;
  memset(manager, 0, sizeof *manager);
  atomic_init(&manager->holders, 1);
  manager->options = *options;
  manager->n = n;
  for (size_t i = 0; i < n; i++) cctx__shard_init(&manager->shards[i], now);
  if (options->thread && options->gc_interval > 0) {
    manager->sweeper = cctx__sweeper_start(options->gc_interval, sweep_for, manager);
    if (manager->sweeper == NULL) {
      let_go(manager);
      return NULL;
    }
    manager->epoch = cctx__fork_epoch();
  }
  pthread_mutex_lock(&lock);
  list_append(&managers, &manager->link);
  pthread_mutex_unlock(&lock);
  return manager;
}

int cctx_manager_new(cctx_manager **out, const struct cctx_manager_options *options) {
  static const struct cctx_manager_options usual = CCTX_MANAGER_OPTIONS;
  cctx_manager *manager;
  if (options == NULL) options = &usual;
  if (!cctx__config_is_good(options)) return CCTX_EINVAL;
  manager = make(options);
  if (manager == NULL) return CCTX_ENOMEM;
  *out = manager;
  return CCTX_OK;
}

void cctx_manager_close(cctx_manager *manager) {
  if (manager == NULL) {
    pthread_mutex_lock(&lock);
    manager = common;
    common = NULL;
    pthread_mutex_unlock(&lock);
    if (manager == NULL) return;
  }
  close_it(manager);
}

/* ---- The default one ------------------------------------------------------------ */

static cctx_manager *held_common(void) {
  cctx_manager *manager;
  pthread_mutex_lock(&lock);
  manager = common;
  if (manager) atomic_fetch_add(&manager->holders, 1);
  pthread_mutex_unlock(&lock);
  return manager;
}

/* Two threads that are first at once both make one: the second is thrown away. */
static cctx_manager *make_common(void) {
  struct cctx_backup_options options;
  cctx_manager *made, *spare;
  cctx_backup_options(&options);
  made = spare = make(&options.manager);
  if (made == NULL) return NULL;
  pthread_mutex_lock(&lock);
  if (common == NULL) {
    common = made;
    spare = NULL;
  }
  made = common;
  atomic_fetch_add(&made->holders, 1);
  pthread_mutex_unlock(&lock);
  if (spare) close_it(spare);
  return made;
}

/* The manager that `given` stands for, until it is done with; NULL if there is none. */
static cctx_manager *hold(cctx_manager *given) { return given ? given : held_common(); }

static void done(cctx_manager *given, cctx_manager *manager) {
  if (given == NULL && manager) let_go(manager);
}

/* ---- Bindings --------------------------------------------------------------------- */

static struct shard *shard_of(cctx_manager *manager, uint64_t id) {
  return &manager->shards[id % manager->n];
}

static void sweep_shard(cctx_manager *manager, struct shard *shard, int64_t now,
                        size_t *sum) {
  size_t n;
  struct binding *dead = cctx__shard_sweep(shard, now, manager->options.max_age, &n);
  atomic_fetch_add_explicit(&manager->swept, n, memory_order_relaxed);
  *sum += n;
  cctx__bindings_free(dead); /* last: a hook may close the manager */
}

static size_t sweep(cctx_manager *manager) {
  int64_t now = cctx_now();
  size_t sum = 0;
  for (size_t i = 0; i < manager->n; i++)
    sweep_shard(manager, &manager->shards[i], now, &sum);
  return sum;
}

/* Without a thread for it whoever binds sweeps, but only where it binds; with one, where that
 * does not keep up. In the child of a fork there is no thread. */
static int64_t interval_of(const cctx_manager *manager) {
  bool has_thread = manager->sweeper && manager->epoch == cctx__fork_epoch();
  return has_thread ? INT64_MAX : manager->options.gc_interval;
}

static int bind(cctx_manager *manager, uint64_t id, cctx *ctx, uint64_t *serial) {
  struct shard *shard = shard_of(manager, id);
  struct binding *binding = cctx__alloc(sizeof *binding);
  int64_t now = cctx_now();
  uint64_t own;
  bool is_due;
  size_t n = 0;
  if (binding == NULL) return CCTX_ENOMEM;
  *binding = (struct binding){.id = id, .since = now, .ctx = ctx};
  own = cctx__shard_add(shard, binding, interval_of(manager), &is_due);
  if (serial) *serial = own;
  if (is_due) sweep_shard(manager, shard, now, &n);
  return CCTX_OK;
}

int cctx_manager_bind(cctx_manager *given, uint64_t id, cctx *ctx, uint64_t *serial) {
  cctx_manager *manager;
  int status;
  if (ctx == NULL || cctx_session_state(ctx) == CCTX_SESSION_NONE) return CCTX_EINVAL;
  manager = hold(given);
  if (manager == NULL) manager = make_common();
  if (manager == NULL) return CCTX_ENOMEM;
  cctx_ref(ctx);
  status = bind(manager, id, ctx, serial);
  if (status != CCTX_OK) cctx_unref(ctx);
  done(given, manager);
  return status;
}

cctx *cctx_manager_get(cctx_manager *given, uint64_t id, int *state) {
  cctx_manager *manager = hold(given);
  cctx *ctx = manager ? cctx__shard_find(shard_of(manager, id), id) : NULL;
  int found = ctx ? cctx_session_state(ctx) : CCTX_SESSION_NONE;
  done(given, manager);
  if (state) *state = found;
  if (found == CCTX_SESSION_VALID) return ctx;
  cctx_unref(ctx);
  return NULL;
}

static int note_stale(cctx_manager *manager, uint64_t id, uint64_t serial) {
  atomic_fetch_add(&stale_of_all, 1);
  if (manager) atomic_fetch_add(&manager->stale, 1);
  if (cctx__is_strict())
    cctx__misuse("id %" PRIu64 " has no binding with the serial %" PRIu64
                 ": it was unbound before, or one outside it was",
                 id, serial);
  return CCTX_ESTALE;
}

int cctx_manager_unbind(cctx_manager *given, uint64_t id, uint64_t serial) {
  cctx_manager *manager = hold(given);
  struct binding *dead =
      manager ? cctx__shard_remove(shard_of(manager, id), id, serial) : NULL;
  int status = dead ? CCTX_OK : note_stale(manager, id, serial);
  done(given, manager);
  cctx__bindings_free(dead);
  return status;
}

size_t cctx_manager_sweep(cctx_manager *given) {
  cctx_manager *manager = hold(given);
  size_t n;
  if (manager == NULL) return 0;
  if (given) atomic_fetch_add(&given->holders, 1);
  n = sweep(manager);
  let_go(manager);
  return n;
}

void cctx_manager_stats(cctx_manager *given, struct cctx_manager_stats *out) {
  cctx_manager *manager = hold(given);
  *out = (struct cctx_manager_stats){0, 0, 0};
  if (manager == NULL) return;
  for (size_t i = 0; i < manager->n; i++)
    out->bound += cctx__shard_count(&manager->shards[i]);
  out->swept = atomic_load(&manager->swept);
  out->stale = atomic_load(&manager->stale);
  done(given, manager);
}

/* ---- To be shown ------------------------------------------------------------------ */

uint64_t cctx__managers_stale(void) { return atomic_load(&stale_of_all); }

void cctx__managers_show(struct gallery *gallery) {
  pthread_mutex_lock(&lock);
  for (cctx_manager *at = next_of(&managers); at; at = next_of(&at->link))
    for (size_t i = 0; i < at->n; i++) cctx__shard_show(&at->shards[i], gallery);
  pthread_mutex_unlock(&lock);
}
