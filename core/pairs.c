/* SPDX-License-Identifier: Apache-2.0 */
/* A table of metadata pairs, copied whole when it changes: the budgets bound the copy. */
#include "pairs.h"

#include <string.h>

/* tchar of RFC 9110, 5.6.2. */
static bool is_token_char(char c) {
  if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
    return true;
  return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

/* The length of a name that a carrier can express, else 0. */
static size_t name_length(const char *name) {
  size_t len = 0;
  while (is_token_char(name[len]))
    if (++len > CCTX_METADATA_NAME_MAX) return 0;
  return name[len] == '\0' ? len : 0;
}

/* What the table holds under `name` after the first `i` of `more` were set. */
static const struct cctx_metadata_pair *find_before(const struct pairs *old,
                                                    const struct cctx_metadata_pair *more,
                                                    size_t i, const char *name) {
  while (i-- > 0)
    if (strcmp(more[i].name, name) == 0) return &more[i];
  return old ? cctx__pairs_find(old, name) : NULL;
}

/* More pairs in one call than this are over the budget however often names repeat: it bounds the
 * time that a call can take. */
#define CALL_MAX ((size_t)4 * CCTX_METADATA_PAIRS_MAX)

/* What a table would hold. */
struct total {
  size_t count, bytes;
};

static bool is_over(const struct total *total) {
  return total->count > CCTX_METADATA_PAIRS_MAX || total->bytes > CCTX_METADATA_BYTES_MAX;
}

static int check_pair(const struct pairs *old, const struct cctx_metadata_pair *more,
                      size_t i, struct total *total) {
  size_t len = name_length(more[i].name);
  const struct cctx_metadata_pair *before;
  if (len == 0 || cctx_metadata_scope_word((int)more[i].scope) == NULL) return CCTX_EINVAL;
  if (more[i].len > CCTX_METADATA_BYTES_MAX) return CCTX_ETOOBIG;
  before = find_before(old, more, i, more[i].name);
  if (before) {
    total->bytes -= before->len;
  } else {
    total->count++;
    total->bytes += len;
  }
  total->bytes += more[i].len;
  return CCTX_OK;
}

/* The budget holds for the result: a value that a later pair replaces does not count. */
int cctx__pairs_check(const struct pairs *old, const struct cctx_metadata_pair *more,
                      size_t n, size_t *size, size_t *bad) {
  struct total total = {old ? old->n : 0, old ? old->bytes : 0};
  size_t first_over = n;
  for (size_t i = 0; i < n; i++) {
    int status = i < CALL_MAX ? check_pair(old, more, i, &total) : CCTX_ETOOBIG;
    if (status != CCTX_OK) {
      *bad = i;
      return status;
    }
    if (!is_over(&total))
      first_over = n;
    else if (first_over == n)
      first_over = i;
  }
  if (first_over < n) {
    *bad = first_over;
    return CCTX_ETOOBIG;
  }
  *size = sizeof(struct pairs) + total.count * (sizeof *more + 2) + total.bytes;
  return CCTX_OK;
}

static char *copy_text(char *to, const char *bytes, size_t len) {
  if (len) memcpy(to, bytes, len);
  to[len] = '\0';
  return to + len + 1;
}

/* A name keeps the place where it was first set, and takes its last value. */
void cctx__pairs_merge(struct pairs *table, const struct pairs *old,
                       const struct cctx_metadata_pair *more, size_t n) {
  char *text;
  table->n = 0;
  table->bytes = 0;
  for (size_t i = 0; old && i < old->n; i++) table->at[table->n++] = old->at[i];
  for (size_t i = 0; i < n; i++) {
    struct cctx_metadata_pair *slot =
        (struct cctx_metadata_pair *)cctx__pairs_find(table, more[i].name);
    if (slot == NULL) slot = &table->at[table->n++];
    *slot = more[i];
  }
  text = (char *)&table->at[table->n];
  for (size_t i = 0; i < table->n; i++) {
    struct cctx_metadata_pair *pair = &table->at[i];
    size_t name_len = strlen(pair->name);
    char *name = text, *value;
    value = text = copy_text(text, pair->name, name_len);
    text = copy_text(text, pair->value, pair->len);
    pair->name = name;
    pair->value = value;
    table->bytes += name_len + pair->len;
  }
}

const struct cctx_metadata_pair *cctx__pairs_find(const struct pairs *table,
                                                  const char *name) {
  for (size_t i = 0; i < table->n; i++)
    if (strcmp(table->at[i].name, name) == 0) return &table->at[i];
  return NULL;
}
