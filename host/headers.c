/* SPDX-License-Identifier: Apache-2.0 */
/* Header fields of an HTTP message. */
#define _GNU_SOURCE 1
#include "headers.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool headers_add(struct headers *headers, const char *name, const char *value) {
  struct header *grown = realloc(headers->at, (headers->n + 1) * sizeof *grown);
  if (!grown) return false;
  headers->at = grown;
  struct header header = {strdup(name), strdup(value)};
  if (!header.name || !header.value) {
    free(header.name);
    free(header.value);
    return false;
  }
  headers->at[headers->n++] = header;
  return true;
}

static struct header *find(const struct headers *headers, const char *name) {
  for (size_t i = 0; i < headers->n; i++)
    if (strcasecmp(headers->at[i].name, name) == 0) return &headers->at[i];
  return NULL;
}

static bool append(struct header *header, const char *value) {
  size_t before = strlen(header->value), len = strlen(value);
  char *grown = realloc(header->value, before + len + 3);
  if (!grown) return false;
  header->value = grown;
  memcpy(grown + before, ", ", 2);
  memcpy(grown + before + 2, value, len + 1);
  return true;
}

bool headers_join(struct headers *headers, const char *name, const char *value) {
  struct header *header = find(headers, name);
  if (header) return append(header, value);
  if (!headers_add(headers, name, value)) return false;
  for (char *c = headers->at[headers->n - 1].name; *c != '\0'; c++)
    if (*c >= 'A' && *c <= 'Z') *c = (char)(*c - 'A' + 'a');
  return true;
}

bool headers_have(const struct headers *headers, const char *name) {
  return find(headers, name) != NULL;
}

void headers_free(struct headers *headers) {
  for (size_t i = 0; i < headers->n; i++) {
    free(headers->at[i].name);
    free(headers->at[i].value);
  }
  free(headers->at);
  *headers = (struct headers){NULL, 0};
}
