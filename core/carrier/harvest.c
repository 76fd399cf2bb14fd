/* SPDX-License-Identifier: Apache-2.0 */
/* The harvest: the pairs of metadata that were taken from a carrier. */
#include "harvest.h"

#include <string.h>

#include "names.h"
#include "percent.h"

static size_t bound(size_t wanted, size_t most) {
  return wanted > 0 && wanted < most ? wanted : most;
}

void cctx__harvest_begin(struct cctx__harvest *harvest, const struct cctx_policy *policy,
                         const cctx *parent, struct cctx_carrier_counts *counts) {
  struct cctx_metadata_pair pair;
  harvest->policy = policy;
  harvest->parent = parent;
  harvest->counts = counts;
  harvest->pairs_left = bound(policy->pairs_max, CCTX_METADATA_PAIRS_MAX);
  harvest->bytes_left = bound(policy->bytes_max, CCTX_METADATA_BYTES_MAX);
  harvest->count = cctx_metadata_count(parent);
  harvest->size = harvest->n = harvest->used = 0;
  for (size_t i = 0; cctx_metadata_at(parent, i, &pair) == CCTX_OK; i++)
    harvest->size += strlen(pair.name) + pair.len;
}

/* Where the pair of this name is, or `n`. */
static size_t find_pair(const struct cctx__harvest *harvest, struct cctx__text name,
                        uint32_t hash) {
  size_t i = 0;
  while (i < harvest->n && (harvest->hash[i] != hash ||
                            strncmp(harvest->at[i].name, name.at, name.len) != 0 ||
                            harvest->at[i].name[name.len] != '\0'))
    i++;
  return i;
}

static size_t decode(const struct cctx__harvest *harvest, struct cctx__text value,
                     enum cctx__encoding encoding, char *out) {
  char blank = harvest->policy->flags & CCTX_PLUS_IS_BLANK ? '+' : '\0';
  switch (encoding) {
  case CCTX__PERCENT_TEXT: return cctx__percent_decode(value, blank, false, out);
  case CCTX__PERCENT_BYTES: return cctx__percent_decode(value, '\0', true, out);
  default:
    if (value.len) memcpy(out, value.at, value.len);
    return value.len;
  }
}

/* Pair `i` in place of what has its name, in the harvest or in the parent: false if that is over a
 * budget. `name` is terminated. */
static bool account(struct cctx__harvest *harvest, size_t i,
                    const struct cctx_metadata_pair *pair) {
  bool known = i < harvest->n;
  size_t name_len = strlen(pair->name), before = known ? harvest->at[i].len : 0, there = 0;
  bool inherited = !known && cctx_metadata(harvest->parent, pair->name, &there);
  size_t count = harvest->count + (known || inherited ? 0 : 1);
  size_t size = harvest->size + pair->len + (known || inherited ? 0 : name_len) -
                (known ? before : there);
  size_t pairs = known ? 0 : 1, bytes = known ? pair->len : name_len + pair->len;
  if (count > CCTX_METADATA_PAIRS_MAX || size > CCTX_METADATA_BYTES_MAX ||
      pairs > harvest->pairs_left || bytes > harvest->bytes_left + before)
    return false;
  harvest->count = count;
  harvest->size = size;
  harvest->pairs_left -= pairs;
  harvest->bytes_left = harvest->bytes_left + before - bytes;
  return true;
}

/* The pair is written behind the others, and stays there if it is taken. */
static void put_pair(struct cctx__harvest *harvest, size_t i, enum cctx__rank rank,
                     struct cctx__text name, struct cctx__text value,
                     enum cctx__encoding encoding) {
  struct cctx_metadata_pair pair = {CCTX_REQUEST, NULL, NULL, 0};
  char *bytes = harvest->bytes + harvest->used, *decoded = bytes + name.len + 1;
  if (name.len + value.len + 2 > sizeof harvest->bytes - harvest->used) {
    harvest->counts->too_big++;
    return;
  }
  memcpy(bytes, name.at, name.len);
  bytes[name.len] = '\0';
  pair.scope = rank < CCTX__RANK_BAGGAGE ? CCTX_UPSTREAM : CCTX_REQUEST;
  pair.name = bytes;
  pair.value = decoded;
  pair.len = decode(harvest, value, encoding, decoded);
  decoded[pair.len] = '\0';
  if (!account(harvest, i, &pair)) {
    harvest->counts->too_big++;
    return;
  }
  harvest->used += name.len + pair.len + 2;
  harvest->at[i] = pair;
  harvest->rank[i] = (unsigned char)rank;
  if (i == harvest->n) harvest->n++;
}

void cctx__harvest_take(struct cctx__harvest *harvest, enum cctx__rank rank,
                        struct cctx__text name, struct cctx__text value,
                        enum cctx__encoding encoding) {
  name = cctx__rename(harvest->policy->renames, true, name);
  if (!cctx__is_name(name)) {
    harvest->counts->malformed++;
    return;
  }
  if (!cctx__is_listed(harvest->policy->allow, name)) {
    harvest->counts->not_allowed++;
    return;
  }
  uint32_t hash = cctx__hash(name);
  size_t i = find_pair(harvest, name, hash);
  if (i < harvest->n) {
    harvest->counts->hidden++;
    if (rank < harvest->rank[i]) return;
    if (rank == harvest->rank[i] && rank != CCTX__RANK_BAGGAGE) return;
  }
  put_pair(harvest, i, rank, name, value, encoding);
  if (i < harvest->n) harvest->hash[i] = hash;
}
