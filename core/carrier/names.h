/* SPDX-License-Identifier: Apache-2.0 */
/* Names: of fields, as a kind of carrier spells them, and of metadata. */
#ifndef CCTX__NAMES_H
#define CCTX__NAMES_H

#include <cctx/carrier_policy.h>

#include "text.h"

/* Room for the longest name of a field, with its NUL: each character of a name of metadata may
 * take four of it. */
enum { CCTX__NAME_ROOM = 4 * CCTX_METADATA_NAME_MAX + 64 };

static inline char cctx__lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }
static inline char cctx__upper(char c) { return c >= 'a' && c <= 'z' ? (char)(c - 32) : c; }

/* OpenTelemetry's rule, which is CGI's behind a prefix: upper case, and an underscore for
 * everything else. */
static inline char cctx__flat(char c) {
  c = cctx__upper(c);
  return cctx__is_digit(c) || (c >= 'A' && c <= 'Z') ? c : '_';
}

static inline struct cctx__text cctx__text_of(const char *at, size_t len) {
  return (struct cctx__text){at, len};
}

/* FNV-1a. */
static inline uint32_t cctx__hash(struct cctx__text text) {
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < text.len; i++)
    hash = (hash ^ (unsigned char)text.at[i]) * 16777619u;
  return hash;
}

/* tchar of RFC 9110, 5.6.2. */
bool cctx__is_token_char(char c);

/* Whether metadata may have this name. */
bool cctx__is_name(struct cctx__text text);

/* Write how `names` spells `name`, which is in lower case with hyphens, and a NUL. Returns its
 * length, or 0 if it is too long. */
size_t cctx__name_spell(enum cctx_names names, struct cctx__text name,
                        char out[CCTX__NAME_ROOM]);

/* Whether `name` is spelled `spelled`, or begins so, under `names`. */
bool cctx__name_is(enum cctx_names names, struct cctx__text name,
                   struct cctx__text spelled);
bool cctx__name_begins(enum cctx_names names, struct cctx__text name,
                       struct cctx__text spelled);

/* Whether `list` (or NULL: all) has `name`. */
bool cctx__is_listed(const char *const *list, struct cctx__text name);

/* What `renames` (or NULL) makes of `name` on its way in, or else out; borrowed. */
struct cctx__text cctx__rename(const struct cctx_rename *renames, bool in,
                               struct cctx__text name);

#endif
