/* SPDX-License-Identifier: Apache-2.0 */
/* A table of metadata pairs, made anew when it changes.
 *
 * Making one copies two short arrays, and no text but what is set: the budgets bound it. A
 * look-up compares one byte of each name, as fast as memchr can, and then mostly one name; so
 * there is no index to keep, and order and removal cost nothing more.
 */
#include "pairs.h"

#include <string.h>

/* tchar of RFC 9110, 5.6.2: a bit for each character. */
static bool is_token_char(unsigned char c) {
  static const uint32_t tchars[8] = {0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff};
  return tchars[c >> 5] >> (c & 31) & 1;
}

/* The length of a name that a carrier can express, else 0. */
static size_t name_length(const char *name) {
  size_t len = 0;
  while (is_token_char((unsigned char)name[len])) len++;
  return name[len] == '\0' && len <= CCTX_METADATA_NAME_MAX ? len : 0;
}

/* A byte in which most names differ. */
static unsigned char tag_of(const char *name, size_t len) {
  const uint64_t odd = 0x9e3779b97f4a7c15;
  uint64_t hash = len, word;
  for (; len >= sizeof word; len -= sizeof word, name += sizeof word) {
    memcpy(&word, name, sizeof word);
    hash = (hash ^ word) * odd;
  }
  for (word = 0; len > 0; len--) word = word << 8 | (unsigned char)*name++;
  return (unsigned char)(((hash ^ word) * odd) >> 56);
}

/* Where the name is in `table`, or NULL. */
static const struct pair *find(const struct pairs *table, const char *name, size_t len,
                               unsigned char tag) {
  const unsigned char *at = table->tags, *end = at + table->n;
  while (at < end && (at = memchr(at, tag, (size_t)(end - at))) != NULL) {
    const struct pair *pair = &table->at[at - table->tags];
    if (pair->name_len == len && memcmp(pair->text, name, len) == 0) return pair;
    at++;
  }
  return NULL;
}

const struct pair *cctx__pairs_find(const struct pairs *table, const char *name) {
  size_t len = strlen(name);
  return find(table, name, len, tag_of(name, len));
}

/* ---- Checking -------------------------------------------------------------------- */

/* More than so many times the budget in one call is over it however often names repeat: this
 * bounds the time that a call can take, and the memory. */
enum { CALL_MAX = 4 };

static int check_pair(const struct cctx_metadata_pair *pair, size_t *bytes) {
  size_t len = name_length(pair->name);
  if (len == 0 || cctx_metadata_scope_word((int)pair->scope) == NULL) return CCTX_EINVAL;
  if (pair->value == NULL) return CCTX_OK;
  if (pair->len > CCTX_METADATA_BYTES_MAX) return CCTX_ETOOBIG;
  *bytes += len + pair->len;
  return *bytes > (size_t)CALL_MAX * CCTX_METADATA_BYTES_MAX ? CCTX_ETOOBIG : CCTX_OK;
}

int cctx__pairs_measure(const struct recipe *recipe, size_t *size, size_t *bad) {
  const struct pairs *old = recipe->old;
  size_t count = recipe->n + (old ? old->n : 0), texts = recipe->n, bytes = 0;
  for (size_t i = 0; i < recipe->n; i++) {
    int status = i < (size_t)CALL_MAX * CCTX_METADATA_PAIRS_MAX
                     ? check_pair(&recipe->more[i], &bytes)
                     : CCTX_ETOOBIG;
    if (status != CCTX_OK) {
      *bad = i;
      return status;
    }
  }
  if (old && recipe->copies) {
    texts += old->n;
    bytes += old->bytes;
  }
  *size = sizeof(struct pairs) + count * (sizeof(struct pair) + 1) + bytes + 2 * texts;
  return CCTX_OK;
}

static bool is_over(const struct pairs *table) {
  return table->n > CCTX_METADATA_PAIRS_MAX || table->bytes > CCTX_METADATA_BYTES_MAX;
}

/* ---- Making ------------------------------------------------------------------------
 *
 * `text` is where the next text goes; each step returns where the one after it does.
 */
static char *copy_bytes(char *text, const char *bytes, size_t len) {
  if (len) memcpy(text, bytes, len);
  text[len] = '\0';
  return text + len + 1;
}

static char *take_over(struct pairs *table, const struct pairs *old, bool copies,
                       char *text) {
  table->n = old->n;
  table->bytes = old->bytes;
  memcpy(table->at, old->at, old->n * sizeof *old->at);
  memcpy(table->tags, old->tags, old->n);
  for (size_t i = 0; copies && i < table->n; i++) {
    struct pair *pair = &table->at[i];
    const char *from = pair->text;
    pair->text = text;
    text = copy_bytes(text, from, pair->name_len + 1u + pair->len);
  }
  return text;
}

static void remove_pair(struct pairs *table, const struct pair *pair) {
  size_t i = (size_t)(pair - table->at), after = --table->n - i;
  memmove(&table->at[i], &table->at[i + 1], after * sizeof *table->at);
  memmove(&table->tags[i], &table->tags[i + 1], after);
}

/* A name keeps the place where it was first set. */
static char *set_pair(struct pairs *table, const struct cctx_metadata_pair *from,
                      char *text) {
  size_t name_len = strlen(from->name), i = table->n;
  unsigned char tag = tag_of(from->name, name_len);
  const struct pair *found = find(table, from->name, name_len, tag);
  if (found) {
    table->bytes -= name_len + found->len;
    i = (size_t)(found - table->at);
  }
  if (from->value == NULL) {
    if (found) remove_pair(table, found);
    return text;
  }
  if (found == NULL) table->tags[table->n++] = tag;
  table->bytes += name_len + from->len;
  table->at[i] =
      (struct pair){text, (uint32_t)from->len, (uint8_t)name_len, (uint8_t)from->scope};
  text = copy_bytes(text, from->name, name_len);
  return copy_bytes(text, from->value, from->len);
}

/* The budget holds for the result: a value that a later pair replaces does not count. */
int cctx__pairs_fill(struct pairs *table, const struct recipe *recipe, size_t *bad) {
  size_t room = recipe->n + (recipe->old ? recipe->old->n : 0), first_over = recipe->n;
  char *text;
  table->n = table->bytes = 0;
  table->tags = (unsigned char *)&table->at[room];
  text = (char *)table->tags + room;
  if (recipe->old) text = take_over(table, recipe->old, recipe->copies, text);
  for (size_t i = 0; i < recipe->n; i++) {
    text = set_pair(table, &recipe->more[i], text);
    if (!is_over(table))
      first_over = recipe->n;
    else if (first_over == recipe->n)
      first_over = i;
  }
  if (first_over == recipe->n) return CCTX_OK;
  *bad = first_over;
  return CCTX_ETOOBIG;
}
