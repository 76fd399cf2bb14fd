/* SPDX-License-Identifier: Apache-2.0 */
/* Names: of fields, as a kind of carrier spells them, and of metadata. */
#include "names.h"

#include <string.h>

/* A bit for each character: !#$%&'*+-. and digits; ^_` and letters, | and ~. */
bool cctx__is_token_char(char c) {
  static const uint32_t tokens[8] = {0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff};
  unsigned char at = (unsigned char)c;
  return tokens[at >> 5] >> (at & 31) & 1;
}

bool cctx__is_name(struct cctx__text text) {
  if (text.len == 0 || text.len > CCTX_METADATA_NAME_MAX) return false;
  for (size_t i = 0; i < text.len; i++)
    if (!cctx__is_token_char(text.at[i])) return false;
  return true;
}

size_t cctx__name_spell(enum cctx_names names, struct cctx__text name,
                        char out[CCTX__NAME_ROOM]) {
  size_t n = 0, i = 0;
  if (name.len + sizeof "HTTP_" >= CCTX__NAME_ROOM) return 0;
  if (names == CCTX_NAMES_HTTP) {
    memcpy(out, name.at, n = i = name.len);
  } else if (names == CCTX_NAMES_CGI) {
    memcpy(out, "HTTP_", n = 5);
  } else if (names == CCTX_NAMES_ENVIRONMENT &&
             (name.len == 0 || cctx__is_digit(name.at[0]))) {
    out[n++] = '_';
  }
  for (; i < name.len; i++) out[n++] = cctx__flat(name.at[i]);
  out[n] = '\0';
  return n;
}

bool cctx__name_begins(enum cctx_names names, struct cctx__text name,
                       struct cctx__text spelled) {
  if (name.len < spelled.len) return false;
  if (names != CCTX_NAMES_HTTP) return memcmp(name.at, spelled.at, spelled.len) == 0;
  for (size_t i = 0; i < spelled.len; i++)
    if (cctx__lower(name.at[i]) != cctx__lower(spelled.at[i])) return false;
  return true;
}

bool cctx__name_is(enum cctx_names names, struct cctx__text name,
                   struct cctx__text spelled) {
  return name.len == spelled.len && cctx__name_begins(names, name, spelled);
}

static bool matches(const char *pattern, struct cctx__text name) {
  size_t len = strlen(pattern);
  if (len > 0 && pattern[len - 1] == '*')
    return name.len >= len - 1 && memcmp(pattern, name.at, len - 1) == 0;
  return name.len == len && memcmp(pattern, name.at, len) == 0;
}

bool cctx__is_listed(const char *const *list, struct cctx__text name) {
  if (!list) return true;
  for (; *list; list++)
    if (matches(*list, name)) return true;
  return false;
}

struct cctx__text cctx__rename(const struct cctx_rename *renames, bool in,
                               struct cctx__text name) {
  for (; renames && renames->from; renames++) {
    const char *from = in ? renames->from : renames->to;
    const char *to = in ? renames->to : renames->from;
    if (strlen(from) == name.len && memcmp(from, name.at, name.len) == 0)
      return cctx__text_of(to, strlen(to));
  }
  return name;
}
