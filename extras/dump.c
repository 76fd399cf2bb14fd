/* SPDX-License-Identifier: Apache-2.0 */
/* The path of a context, as the dumps of it go through it. */
#include "dump.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void cctx__put(const struct sink *sink, const char *text) {
  sink->write(sink->arg, text, strlen(text));
}

void cctx__put_number(const struct sink *sink, int64_t number) {
  char text[32];
  snprintf(text, sizeof text, "%" PRId64, number);
  cctx__put(sink, text);
}

void cctx__put_seconds(const struct sink *sink, int64_t ns) {
  char text[48];
  int64_t ms = ns / CCTX_MILLISECOND;
  snprintf(text, sizeof text, "%" PRId64 ".%03" PRId64, ms / 1000, ms % 1000);
  cctx__put(sink, text);
}

/* Whatever a locale puts there, and in how many bytes, is a point. */
void cctx__put_double(const struct sink *sink, double number) {
  char text[48];
  char *to = text;
  snprintf(text, sizeof text, "%.15g", number);
  if (strtod(text, NULL) != number) snprintf(text, sizeof text, "%.17g", number);
  for (const char *from = text; *from != '\0'; from++)
    if (strchr("0123456789+-e", *from))
      *to++ = *from;
    else if (to == text || to[-1] != '.')
      *to++ = '.';
  *to = '\0';
  cctx__put(sink, text);
}

void cctx__path_of(const cctx *ctx, struct path *path) {
  struct cctx_node node;
  path->n = path->more = 0;
  for (; ctx; ctx = node.parent) {
    if (path->n < CCTX_DUMP_NODES)
      path->at[path->n++] = ctx;
    else
      path->more++;
    cctx_node(ctx, &node);
  }
}

bool cctx__own_deadline(const cctx *ctx, const struct cctx_node *node, int64_t *deadline) {
  *deadline = cctx_deadline(ctx);
  return *deadline != (node->parent ? cctx_deadline(node->parent) : CCTX_NEVER);
}

/* Whether `ctx` has the pair, be it with another scope or value. */
static bool has_name(const cctx *ctx, const char *name) {
  return ctx && cctx_metadata(ctx, name, NULL) != NULL;
}

static bool has_pair(const cctx *ctx, const struct cctx_metadata_pair *pair) {
  size_t len;
  const char *value = ctx ? cctx_metadata(ctx, pair->name, &len) : NULL;
  return value && len == pair->len && memcmp(value, pair->value, len) == 0 &&
         cctx_metadata_scope(ctx, pair->name) == (int)pair->scope;
}

bool cctx__next_set(const cctx *ctx, const struct cctx_node *node, size_t *i,
                    struct cctx_metadata_pair *out) {
  while (node->metadata && cctx_metadata_at(ctx, *i, out) == 0) {
    ++*i;
    if (!has_pair(node->parent, out)) return true;
  }
  return false;
}

bool cctx__next_removed(const cctx *ctx, const struct cctx_node *node, size_t *i,
                        struct cctx_metadata_pair *out) {
  while (node->metadata && node->parent && cctx_metadata_at(node->parent, *i, out) == 0) {
    ++*i;
    if (!has_name(ctx, out->name)) return true;
  }
  return false;
}

size_t cctx__cut(const char *bytes, size_t len) {
  if (len <= CCTX_DUMP_BYTES) return len;
  size_t cut = CCTX_DUMP_BYTES;
  while (cut > CCTX_DUMP_BYTES - 3 && ((unsigned char)bytes[cut] & 0xc0) == 0x80) cut--;
  return cut;
}
