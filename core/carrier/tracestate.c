/* SPDX-License-Identifier: Apache-2.0 */
/* The tracestate of W3C Trace Context: what vendors add to a trace. */
#include "tracestate.h"

#include <string.h>

/* Of a key and of a value; of a member that is left out first; of all that is looked at, which
 * bounds the blanks and empty members between. */
enum { PART_MAX = 256, LARGE = 128, FIELD_MAX = 32 * 1024 };

/* Borrowed from the field. */
struct list {
  struct cctx__text at[CCTX_TRACESTATE_MEMBERS_MAX];
  size_t n, bytes; /* as they are written: each with a comma */
};

static bool is_key_char(char c) {
  return cctx__is_digit(c) || (c >= 'a' && c <= 'z') || (c && strchr("_-*/@", c));
}

/* A member's blanks were trimmed; those in front of a value are part of it. */
static bool is_member(struct cctx__text member, size_t *key_len) {
  size_t key = 0;
  while (key < member.len && is_key_char(member.at[key])) key++;
  size_t value = key + 1;
  if (key == 0 || key > PART_MAX || strchr("_-*/@", member.at[0])) return false;
  if (value >= member.len || member.at[key] != '=' || member.len - value > PART_MAX)
    return false;
  for (size_t i = value; i < member.len; i++) {
    char c = member.at[i];
    if (c < 0x20 || c > 0x7e || c == '=') return false;
  }
  *key_len = key;
  return true;
}

static bool has_key(const struct list *list, struct cctx__text member, size_t key_len) {
  for (size_t i = 0; i < list->n; i++)
    if (list->at[i].len > key_len && memcmp(list->at[i].at, member.at, key_len + 1) == 0)
      return true;
  return false;
}

/* The left-most of two with the same key is the newer. */
static bool add_member(struct list *list, struct cctx__text member) {
  size_t key_len;
  if (!is_member(member, &key_len)) return false;
  if (has_key(list, member, key_len)) return true;
  if (list->n == CCTX_TRACESTATE_MEMBERS_MAX) return false;
  list->at[list->n++] = member;
  list->bytes += member.len + 1;
  return true;
}

static bool add_members(struct list *list, struct cctx__text field) {
  while (field.len > 0) {
    const char *comma = memchr(field.at, ',', field.len);
    size_t len = comma ? (size_t)(comma - field.at) : field.len;
    struct cctx__text member = cctx__trim(field.at, len);
    if (member.len > 0 && !add_member(list, member)) return false;
    len += comma != NULL;
    field.at += len;
    field.len -= len;
  }
  return true;
}

static void drop_member(struct list *list, size_t i) {
  list->bytes -= list->at[i].len + 1;
  list->n--;
  memmove(&list->at[i], &list->at[i + 1], (list->n - i) * sizeof list->at[0]);
}

static void fit(struct list *list) {
  for (size_t i = list->n; i-- > 0 && list->bytes > CCTX_TRACESTATE_BYTES_MAX + 1;)
    if (list->at[i].len > LARGE) drop_member(list, i);
  while (list->bytes > CCTX_TRACESTATE_BYTES_MAX + 1) drop_member(list, list->n - 1);
}

static void write_list(struct list *list, struct cctx__tracestate *out) {
  fit(list);
  for (size_t i = 0; i < list->n; i++) {
    if (i > 0) out->text[out->len++] = ',';
    memcpy(out->text + out->len, list->at[i].at, list->at[i].len);
    out->len += list->at[i].len;
  }
  out->text[out->len] = '\0';
}

void cctx__tracestate_read(const struct cctx__source *source,
                           struct cctx__tracestate *out) {
  struct list list = {.n = 0};
  struct cctx__text field;
  size_t cursor = 0, bytes = 0;
  bool ok = true;
  out->len = 0;
  while (ok && cctx__source_next(source, "tracestate", &cursor, &field)) {
    ok = field.len <= FIELD_MAX - bytes;
    source->counts->too_big += !ok;
    bytes += ok ? field.len : 0;
    if (!ok || add_members(&list, field)) continue;
    source->counts->malformed++;
    ok = false;
  }
  if (ok) write_list(&list, out);
}

void cctx__tracestate_parse(struct cctx__text list, struct cctx_carrier_counts *counts,
                            struct cctx__tracestate *out) {
  struct list members = {.n = 0};
  out->len = 0;
  if (list.len <= FIELD_MAX && add_members(&members, list))
    write_list(&members, out);
  else
    counts->unsendable++;
}
