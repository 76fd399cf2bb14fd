/* SPDX-License-Identifier: Apache-2.0 */
/* A bag of keys with their values, in one piece of memory. */
#include "entries.h"

#include <string.h>

/* Sizes are kept below this, so that sums of a few of them do not overflow. */
#define LIMIT (SIZE_MAX / 4)

size_t cctx__entries_size(size_t n) {
  if (n > LIMIT / sizeof(struct entry)) return 0;
  return sizeof(struct entries) + n * sizeof(struct entry);
}

size_t cctx__entries_size_with(size_t size, const cctx_variant *value) {
  if (size == 0 || value->type != CCTX_STRING) return size;
  return value->as.s.len < LIMIT - size ? size + value->as.s.len + 1 : 0;
}

void cctx__entries_begin(struct entries *bag, size_t n) {
  bag->n = 0;
  bag->text = (char *)&bag->at[n];
}

void cctx__entries_add(struct entries *bag, cctx_key *key, uint32_t id,
                       const cctx_variant *value) {
  struct entry *entry = &bag->at[bag->n++];
  *entry = (struct entry){key, id, *value};
  if (value->type == CCTX_STRING) {
    size_t len = value->as.s.len;
    if (len) memcpy(bag->text, value->as.s.bytes, len);
    bag->text[len] = '\0'; /* beyond its length: a convenience for readers in C */
    entry->value.as.s.bytes = bag->text;
    bag->text += len + 1;
  } else if (value->type == CCTX_POINTER && value->as.p.retain) {
    value->as.p.retain(value->as.p.ptr);
  }
}

static bool has_hook(const cctx_variant *value) {
  return value->type == CCTX_POINTER && value->as.p.release != NULL;
}

bool cctx__entries_have_hooks(const struct entries *bag) {
  for (size_t i = 0; i < bag->n; i++)
    if (has_hook(&bag->at[i].value)) return true;
  return false;
}

void cctx__entries_drop(struct entries *bag) {
  for (size_t i = 0; i < bag->n; i++) {
    const cctx_variant *value = &bag->at[i].value;
    if (has_hook(value)) value->as.p.release(value->as.p.ptr);
  }
}

const cctx_variant *cctx__entries_find(const struct entries *bag, uint32_t id) {
  for (size_t i = bag->n; i-- > 0;)
    if (bag->at[i].id == id) return &bag->at[i].value;
  return NULL;
}
