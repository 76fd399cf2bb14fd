/* SPDX-License-Identifier: Apache-2.0 */
/* Keys: private ones get an id, named ones are found by name.
 *
 * Named keys sit in a table of fixed size that only ever grows: a slot goes from NULL to
 * a key once, under the lock, and readers look without it. It is never more than half
 * full, so every probe ends at an empty slot.
 */
#include "key.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#include "lock.h"
#include "memory.h"

#define SLOTS (2 * CCTX_KEY_NAMES_MAX)

static _Atomic(cctx_key *) named[SLOTS];
static size_t named_count; /* guarded by the lock */
static _Atomic uint32_t last_id;

uint32_t cctx__key_id(cctx_key *key) {
  uint32_t id = __atomic_load_n(&key->id, __ATOMIC_RELAXED);
  uint32_t fresh;
  if (id != 0) return id;
  fresh = atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
  assert(fresh != 0);
  /* Two threads may race: the loser's fresh id stays unused. */
  if (__atomic_compare_exchange_n(&key->id, &id, fresh, false, __ATOMIC_RELAXED,
                                  __ATOMIC_RELAXED))
    return fresh;
  return id;
}

/* FNV-1a: names are short, and come from programs. */
static size_t hash_name(const char *name, size_t len) {
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < len; i++) hash = (hash ^ (unsigned char)name[i]) * 16777619u;
  return hash % SLOTS;
}

/* The slot that holds `name`, or the empty one where it belongs. */
static _Atomic(cctx_key *) *find_slot(const char *name, size_t len, cctx_key **found) {
  for (size_t i = hash_name(name, len);; i = (i + 1) % SLOTS) {
    *found = atomic_load_explicit(&named[i], memory_order_acquire);
    if (*found == NULL || strcmp((*found)->name, name) == 0) return &named[i];
  }
}

cctx_key *cctx_key_find(const char *name) {
  cctx_key *found;
  size_t len = strlen(name);
  if (len == 0 || len > CCTX_KEY_NAME_MAX) return NULL;
  find_slot(name, len, &found);
  return found;
}

static cctx_key *new_named(const char *name, size_t len) {
  cctx_key *key = cctx__alloc(sizeof *key + len + 1);
  if (key == NULL) return NULL;
  *key = (cctx_key)CCTX_KEY_INIT((char *)(key + 1));
  memcpy(key + 1, name, len + 1);
  return key;
}

cctx_key *cctx_key_named(const char *name) {
  size_t len = strlen(name);
  cctx_key *found = cctx_key_find(name), *fresh;
  _Atomic(cctx_key *) *slot;
  if (found || len == 0 || len > CCTX_KEY_NAME_MAX) return found;
  fresh = new_named(name, len);
  if (fresh == NULL) return NULL;
  cctx__lock();
  slot = find_slot(name, len, &found);
  if (found == NULL && named_count < CCTX_KEY_NAMES_MAX) {
    named_count++;
    atomic_store_explicit(slot, fresh, memory_order_release);
    found = fresh;
  }
  cctx__unlock();
  if (found != fresh) cctx__free(fresh);
  return found;
}
