/* SPDX-License-Identifier: Apache-2.0 */
/* A bag of keys with their values, in one piece of memory. */
#include "entries.h"

#include <assert.h>
#include <string.h>

#include "key.h"

size_t cctx__entries_size(const struct cctx_entry *from, size_t n) {
  size_t size = sizeof(struct entries);
  if (n > (SIZE_MAX / 4) / sizeof *from) return 0;
  size += n * sizeof *from;
  for (size_t i = 0; i < n; i++) {
    if (from[i].value.type != CCTX_STRING) continue;
    if (from[i].value.as.s.len >= SIZE_MAX / 4 - size) return 0;
    size += from[i].value.as.s.len + 1;
  }
  return size;
}

void cctx__entries_init(struct entries *bag, const struct cctx_entry *from, size_t n) {
  char *text = (char *)&bag->at[n];
  bag->n = n;
  for (size_t i = 0; i < n; i++) {
    cctx_variant *value = &bag->at[i].value;
    assert(from[i].key != NULL && "a value needs a key");
    bag->at[i] = from[i];
    cctx__key_id(from[i].key);
    if (value->type == CCTX_STRING) {
      size_t len = value->as.s.len;
      if (len) memcpy(text, value->as.s.bytes, len);
      text[len] = '\0'; /* beyond its length: a convenience for readers in C */
      value->as.s.bytes = text;
      text += len + 1;
    } else if (value->type == CCTX_POINTER && value->as.p.retain) {
      value->as.p.retain(value->as.p.ptr);
    }
  }
}

void cctx__entries_drop(struct entries *bag) {
  for (size_t i = 0; i < bag->n; i++) {
    const cctx_variant *value = &bag->at[i].value;
    if (value->type == CCTX_POINTER && value->as.p.release)
      value->as.p.release(value->as.p.ptr);
  }
}

const cctx_variant *cctx__entries_find(const struct entries *bag, const cctx_key *key) {
  for (size_t i = bag->n; i-- > 0;)
    if (bag->at[i].key == key) return &bag->at[i].value;
  return NULL;
}
