/* SPDX-License-Identifier: Apache-2.0 */
/* A shard: some of a manager's bindings, under a lock of their own. */
#ifndef CCTX__SHARD_H
#define CCTX__SHARD_H

#include <pthread.h>

#include "session.h"

struct binding {
  struct binding *next; /* in its bucket, the newest first; or in a list of the dead */
  uint64_t id, serial;
  int64_t since;
  cctx *ctx; /* owned */
};

/* A host with more ids than so many for each shard makes more shards. */
#define CCTX__BUCKETS 64

struct shard {
  pthread_mutex_t lock; /* guards the rest; no memory is taken or given under it */
  struct binding *buckets[CCTX__BUCKETS];
  size_t n;
  size_t kept;   /* how many the last sweep left */
  int64_t swept; /* when that was */
};

/* With so many more than twice what the last sweep left, the next one does not wait. */
#define CCTX__GROWTH 256

void cctx__shard_init(struct shard *shard, int64_t now);

/* Give back all that is bound: nobody uses it any more. */
void cctx__shard_empty(struct shard *shard);

/* Bind it, above others of its id, and tell whether the last sweep is `interval` (0: no matter)
 * ago, or there are many more by now. Its serial, which no other binding of this process has. */
uint64_t cctx__shard_add(struct shard *shard, struct binding *binding, int64_t interval,
                         bool *is_due);

/* The newest binding of `id`: its context, with a reference of its own; NULL: none. */
cctx *cctx__shard_find(struct shard *shard, uint64_t id);

/* Take the binding with that serial, or any if it is 0, and the newer ones of `id`. */
struct binding *cctx__shard_remove(struct shard *shard, uint64_t id, uint64_t serial);

/* Take what is of no use at `now`, or older than `max_age` (0: no matter), `*n` of them. */
struct binding *cctx__shard_sweep(struct shard *shard, int64_t now, int64_t max_age,
                                  size_t *n);

size_t cctx__shard_count(struct shard *shard);
void cctx__shard_show(struct shard *shard, struct gallery *gallery);

/* Give back what was taken out, with no lock held. */
void cctx__bindings_free(struct binding *dead);

#endif
