/* SPDX-License-Identifier: Apache-2.0 */
/* Shards: hash tables of bindings.
 *
 * What goes is put on a list of the dead under the lock, and given back without it: a context
 * may run release hooks, and those anything.
 */
#include "shard.h"

#include <string.h>

#include "memory.h"

/* Ids are often numbered, and the choice of the shard takes some of their bits: mix them all. */
static struct binding **bucket_of(struct shard *shard, uint64_t id) {
  id ^= id >> 33;
  id *= UINT64_C(0xff51afd7ed558ccd);
  return &shard->buckets[(id >> 32) % CCTX__BUCKETS];
}

void cctx__shard_init(struct shard *shard, int64_t now) {
  memset(shard, 0, sizeof *shard);
  pthread_mutex_init(&shard->lock, NULL);
  shard->swept = now;
}

/* Move `*link` to the dead. */
static void bury(struct shard *shard, struct binding **link, struct binding **dead) {
  struct binding *binding = *link;
  *link = binding->next;
  binding->next = *dead;
  *dead = binding;
  shard->n--;
}

void cctx__bindings_free(struct binding *dead) {
  while (dead) {
    struct binding *next = dead->next;
    cctx_unref(dead->ctx);
    cctx__free(dead);
    dead = next;
  }
}

void cctx__shard_empty(struct shard *shard) {
  for (size_t i = 0; i < CCTX__BUCKETS; i++) cctx__bindings_free(shard->buckets[i]);
  pthread_mutex_destroy(&shard->lock);
}

uint64_t cctx__shard_add(struct shard *shard, struct binding *binding, int64_t interval,
                         bool *is_due) {
  /* Of the process: a token of a manager that was closed fits nothing in the next one. */
  static _Atomic uint64_t serials;
  struct binding **bucket = bucket_of(shard, binding->id);
  uint64_t serial;
  pthread_mutex_lock(&shard->lock);
  serial = binding->serial = atomic_fetch_add(&serials, 1) + 1;
  binding->next = *bucket;
  *bucket = binding;
  shard->n++;
  *is_due = interval > 0 && (binding->since - shard->swept >= interval ||
                             shard->n > 2 * shard->kept + CCTX__GROWTH);
  pthread_mutex_unlock(&shard->lock);
  return serial;
}

cctx *cctx__shard_find(struct shard *shard, uint64_t id) {
  const struct binding *at;
  cctx *ctx = NULL;
  pthread_mutex_lock(&shard->lock);
  at = *bucket_of(shard, id);
  while (at && at->id != id) at = at->next;
  if (at) ctx = cctx_ref(at->ctx);
  pthread_mutex_unlock(&shard->lock);
  return ctx;
}

/* Whether a binding of `id` has that serial. */
static bool has(const struct binding *at, uint64_t id, uint64_t serial) {
  while (at && (at->id != id || (serial != 0 && at->serial != serial))) at = at->next;
  return at != NULL;
}

struct binding *cctx__shard_remove(struct shard *shard, uint64_t id, uint64_t serial) {
  struct binding *dead = NULL, **link = bucket_of(shard, id);
  pthread_mutex_lock(&shard->lock);
  if (has(*link, id, serial))
    while (*link) {
      if ((*link)->id == id && (*link)->serial >= serial)
        bury(shard, link, &dead);
      else
        link = &(*link)->next;
    }
  pthread_mutex_unlock(&shard->lock);
  return dead;
}

static bool is_of_use(const struct binding *binding, int64_t now, int64_t max_age) {
  if (max_age > 0 && now - binding->since >= max_age) return false;
  return cctx__session_state_at(binding->ctx->mark, now) == CCTX_SESSION_VALID;
}

struct binding *cctx__shard_sweep(struct shard *shard, int64_t now, int64_t max_age,
                                  size_t *n) {
  struct binding *dead = NULL;
  size_t before;
  pthread_mutex_lock(&shard->lock);
  before = shard->n;
  shard->swept = now;
  for (size_t i = 0; i < CCTX__BUCKETS; i++)
    for (struct binding **link = &shard->buckets[i]; *link;)
      if (is_of_use(*link, now, max_age))
        link = &(*link)->next;
      else
        bury(shard, link, &dead);
  shard->kept = shard->n;
  *n = before - shard->n;
  pthread_mutex_unlock(&shard->lock);
  return dead;
}

size_t cctx__shard_count(struct shard *shard) {
  size_t n;
  pthread_mutex_lock(&shard->lock);
  n = shard->n;
  pthread_mutex_unlock(&shard->lock);
  return n;
}

void cctx__shard_show(struct shard *shard, struct gallery *gallery) {
  pthread_mutex_lock(&shard->lock);
  for (size_t i = 0; i < CCTX__BUCKETS; i++)
    for (struct binding *at = shard->buckets[i]; at; at = at->next)
      cctx__gallery_add(gallery, at->ctx, at->since, NULL, &at->id);
  pthread_mutex_unlock(&shard->lock);
}
