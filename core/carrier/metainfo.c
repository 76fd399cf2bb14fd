/* SPDX-License-Identifier: Apache-2.0 */
/* Metainfo: metadata under a prefix for each scope, as CloudWeGo sends it.
 *
 * Over HTTP a name loses its case, and the difference of '-' and '_'; over maps it is sent
 * as it is. The third form is ours, and loses nothing: in a name "." begins an escape
 * (".x" is X, ".-" is _, ".." is a dot, ".0" and two digits any other byte), so that it holds only
 * what headers and gRPC allow and no proxy drops; the value is percent-encoded.
 */
#include "metainfo.h"

#include <string.h>

#include "percent.h"
#include "send.h"

struct form {
  unsigned field;
  enum cctx__rank transit, persist;
  const char *prefix[3]; /* of transit, persist, and an answer */
};
enum { TRANSIT, PERSIST, ANSWER };

static const struct form forms[] = {
    {CCTX_FIELD_METAINFO,
     CCTX__RANK_TRANSIT,
     CCTX__RANK_PERSIST,
     {"rpc-transit-", "rpc-persist-", "rpc-backward-"}},
    {CCTX_FIELD_METAINFO_MAP,
     CCTX__RANK_TRANSIT_MAP,
     CCTX__RANK_PERSIST_MAP,
     {"RPC_TRANSIT_", "RPC_PERSIST_", "RPC_BACKWARD_"}},
    {CCTX_FIELD_METADATA,
     CCTX__RANK_TRANSIT_EXACT,
     CCTX__RANK_PERSIST_EXACT,
     {"cctx-transit-", "cctx-persist-", "cctx-backward-"}},
};
enum {
  FORMS = sizeof forms / sizeof *forms,
  ANY = CCTX_FIELD_METAINFO | CCTX_FIELD_METAINFO_MAP | CCTX_FIELD_METADATA
};

/* A peer reads a name of scope hop that begins so as another one's, which it does not send on. */
static const char captured[] = "UPSTREAM_";

static bool begins(struct cctx__text text, const char *prefix) {
  size_t len = strlen(prefix);
  return text.len >= len && memcmp(text.at, prefix, len) == 0;
}

/* A map's names are what they are. */
static enum cctx_names names_of(const struct form *form, enum cctx_names names) {
  return form->field == CCTX_FIELD_METAINFO_MAP ? CCTX_NAMES_ENVIRONMENT : names;
}

/* How `form` spells a prefix under `names`; its length. */
static size_t spell(const struct form *form, enum cctx_names names, unsigned which,
                    char out[CCTX__NAME_ROOM]) {
  const char *prefix = form->prefix[which];
  return cctx__name_spell(names_of(form, names), cctx__text_of(prefix, strlen(prefix)),
                          out);
}

static unsigned prefix_of(enum cctx_direction direction, unsigned scope) {
  return direction == CCTX_BACKWARD ? (unsigned)ANSWER : scope;
}

/* ---- Names ---- */

static size_t name_from_http(struct cctx__text name, char *out) {
  for (size_t i = 0; i < name.len; i++)
    out[i] = name.at[i] == '-' ? '_' : cctx__upper(name.at[i]);
  return name.len;
}

#define EACH(byte) ((byte)*UINT64_C(0x0101010101010101))

/* Flat: for a carrier that has nothing but letters, digits and one more character. */
static char char_to_http(char c, bool flat) {
  if (flat) return cctx__flat(c);
  return c == '_' ? '-' : cctx__lower(c);
}

/* Eight characters of a name: they are ASCII, so that none carries into the next. */
static uint64_t word_to_http(uint64_t word) {
  uint64_t upper = (word + EACH(0x80 - 'A')) & ~(word + EACH(0x7f - 'Z')) & EACH(0x80);
  uint64_t underscore = ~((word ^ EACH('_')) + EACH(0x7f)) & EACH(0x80);
  return (word | upper >> 2) ^ (underscore >> 7) * ('_' ^ '-');
}

/* Writes a whole word of NULs behind the name. Returns a hash, of which the topmost bits depend on
 * all. */
static uint64_t name_to_http(struct cctx__text name, bool flat, char *out) {
  uint64_t hash = name.len, word = 0;
  memcpy(out, name.at, name.len);
  memcpy(out + name.len, &word, sizeof word);
  if (flat)
    for (size_t i = 0; i < name.len; i++) out[i] = cctx__flat(out[i]);
  for (size_t i = 0; i < name.len; i += sizeof word) {
    memcpy(&word, out + i, sizeof word);
    if (!flat) word = word_to_http(word);
    memcpy(out + i, &word, sizeof word);
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
  }
  return hash;
}

/* The character of the escape at the front of `name`, which is taken off, or NUL. */
static char take_escape(struct cctx__text *name) {
  char c = name->len > 1 ? cctx__lower(name->at[1]) : '\0';
  size_t len = c == '0' ? 4 : 2;
  if (name->len < len) return '\0';
  if (c == '0') {
    int high = cctx__hex(cctx__lower(name->at[2])),
        low = cctx__hex(cctx__lower(name->at[3]));
    if (high < 0 || low < 0) return '\0';
    c = (char)(high << 4 | low);
  } else if (c == '-') {
    c = '_';
  } else if (c >= 'a' && c <= 'z') {
    c = cctx__upper(c);
  } else if (c != '.') {
    return '\0';
  }
  name->at += len;
  name->len -= len;
  return c;
}

/* A carrier may have changed the case, and CGI the hyphens: neither is ours. 0: malformed, or
 * longer than a name may be. */
static size_t name_from_exact(struct cctx__text name, char *out) {
  size_t n = 0;
  while (name.len > 0) {
    char c = name.at[0] == '_' ? '-' : cctx__lower(name.at[0]);
    if (c == '.') {
      c = take_escape(&name);
      if (c == '\0') return 0;
    } else {
      name.at++, name.len--;
    }
    if (n == CCTX_METADATA_NAME_MAX) return 0;
    out[n++] = c;
  }
  return n;
}

static size_t name_to_exact(struct cctx__text name, char *out) {
  static const char digits[] = "0123456789abcdef";
  size_t n = 0;
  for (size_t i = 0; i < name.len; i++) {
    char c = name.at[i], lower = cctx__lower(c);
    bool flat = cctx__flat(c) != '_'; /* a letter or digit */
    if ((!flat || c != lower) && c != '-') out[n++] = '.';
    if (flat || c == '-' || c == '_' || c == '.') {
      out[n++] = c == '_' ? '-' : lower;
      continue;
    }
    out[n++] = '0';
    out[n++] = digits[(unsigned char)c >> 4];
    out[n++] = digits[(unsigned char)c & 15];
  }
  return n;
}

/* ---- Reading ---- */

/* One pair of a form; an empty value of metainfo is none. */
static void take_pair(struct cctx__harvest *harvest, const struct form *form,
                      enum cctx__rank rank, struct cctx__text name,
                      struct cctx__text value) {
  char room[CCTX_METADATA_NAME_MAX + 1];
  bool exact = form->field == CCTX_FIELD_METADATA;
  if (value.len == 0 && !exact) return;
  if (name.len > (exact ? 4 : 1) * CCTX_METADATA_NAME_MAX) {
    harvest->counts->too_big++;
    return;
  }
  if (form->field == CCTX_FIELD_METAINFO) {
    name = cctx__text_of(room, name_from_http(name, room));
  } else if (exact) {
    name = cctx__text_of(room, name_from_exact(name, room));
    if (!cctx__percent_check(value)) name.len = 0; /* malformed */
  }
  cctx__harvest_take(harvest, rank, name, value, exact ? CCTX__PERCENT_BYTES : CCTX__PLAIN);
}

static void read_prefix(const struct cctx__source *source, struct cctx__harvest *harvest,
                        const struct form *form, unsigned which, enum cctx__rank rank) {
  char prefix[CCTX__NAME_ROOM];
  enum cctx_names names = names_of(form, source->names);
  struct cctx__text name, value;
  size_t cursor = 0, len = spell(form, source->names, which, prefix);
  while (cctx__source_begins(source, names, cctx__text_of(prefix, len), &cursor, &name,
                             &value)) {
    enum cctx__rank actual = rank;
    if (rank == CCTX__RANK_TRANSIT_MAP && begins(name, captured)) {
      name.at += sizeof captured - 1;
      name.len -= sizeof captured - 1;
      actual = CCTX__RANK_UPSTREAM;
    }
    take_pair(harvest, form, actual, name, value);
  }
}

/* Any name is one of an answer's: only an allow-list says which are metadata. */
static void read_raw(const struct cctx__source *source, struct cctx__harvest *harvest) {
  struct cctx__text name, value, nothing = {"", 0};
  size_t cursor = 0;
  if (!harvest->policy->allow || !(harvest->policy->read & ANY)) return;
  while (cctx__source_begins(source, source->names, nothing, &cursor, &name, &value))
    if (cctx__is_name(name) && cctx__is_listed(harvest->policy->allow, name))
      cctx__harvest_take(harvest, CCTX__RANK_TRANSIT, name, value, CCTX__PLAIN);
}

void cctx__metainfo_read(const struct cctx__source *source, struct cctx__harvest *harvest) {
  enum cctx_direction direction = harvest->policy->direction;
  for (size_t i = 0; i < FORMS; i++) {
    const struct form *form = &forms[i];
    if (!(harvest->policy->read & form->field) || direction == CCTX_BACKWARD_RAW) continue;
    read_prefix(source, harvest, form, prefix_of(direction, TRANSIT), form->transit);
    if (direction == CCTX_FORWARD)
      read_prefix(source, harvest, form, PERSIST, form->persist);
  }
  if (direction == CCTX_BACKWARD_RAW) read_raw(source, harvest);
}

/* ---- Writing ---- */

/* Longest value once it is percent-encoded; twice as many places as a context has pairs. */
enum { VALUE_MAX = 8192, PLACES = 2 * CCTX_METADATA_PAIRS_MAX };

/* One way through the pairs of a scope, under one prefix. */
struct writer {
  const struct form *form;
  struct cctx__sending sending;
  enum cctx_metadata_scope scope;
  bool flat;
  uint16_t written[PLACES]; /* numbers of pairs, from 1, by a hash of their name; 0: free */
  size_t prefix;
  char name[CCTX__NAME_ROOM]; /* prefix and all, as the carrier spells it */
  char value[VALUE_MAX + 1];  /* if it must be encoded */
};

/* Whether a pair was written whose name the carrier takes for this one; if not, it is noted. */
static bool was_written(struct writer *writer, struct cctx__text name, uint64_t hash) {
  size_t at = hash / (UINT64_MAX / PLACES + 1);
  for (; writer->written[at] != 0; at = (at + 1) % PLACES) {
    size_t i = writer->written[at] - 1u;
    struct cctx__text other = cctx__sending_name(&writer->sending, i);
    if (other.len != name.len) continue;
    for (i = name.len; i > 0; i--)
      if (char_to_http(other.at[i - 1], writer->flat) != name.at[i - 1]) break;
    if (i == 0) return true;
  }
  writer->written[at] = (uint16_t)writer->sending.i;
  return false;
}

/* Not 0 if one of four characters is below a blank, or DEL; hardly ever otherwise. */
static uint32_t controls(const char *at) {
  uint32_t word;
  memcpy(&word, at, sizeof word);
  return ((word - 0x20202020) | (word + 0x01010101)) & ~word & 0x80808080;
}

/* What a header may hold and keep: no control characters, no blanks at its ends. */
static inline bool is_header_value(struct cctx__text value) {
  const char *at = value.at, *end = at + value.len;
  uint32_t odd = 1;
  if (value.len >= 4 && *at != ' ' && end[-1] != ' ') odd = controls(end - 4);
  for (; end - at > 4; at += 4) odd |= controls(at);
  if (!odd) return true;
  for (at = value.at; at < end; at++)
    if (((unsigned char)*at < 0x20 && *at != '\t') || *at == 0x7f) return false;
  return cctx__trim(value.at, value.len).len == value.len;
}

/* Each writes the name behind the prefix, and returns its length; or 0 if the form cannot express
 * the pair. */
static size_t put_http(struct writer *writer, struct cctx__pair pair, char *name) {
  if (pair.value.len == 0 || !is_header_value(pair.value)) return 0;
  uint64_t hash = name_to_http(pair.name, writer->flat, name);
  size_t len = pair.name.len;
  return was_written(writer, cctx__text_of(name, len), hash) ? 0 : len;
}

/* A map may go over HTTP after all: what would begin a line there does not go. */
static bool is_one_line(struct cctx__text text) {
  return !memchr(text.at, '\r', text.len) && !memchr(text.at, '\n', text.len) &&
         !memchr(text.at, '\0', text.len);
}

static size_t put_map(const struct writer *writer, struct cctx__pair pair, char *name) {
  if (pair.value.len == 0 || !is_one_line(pair.value) ||
      (writer->scope == CCTX_HOP && begins(pair.name, captured)))
    return 0;
  memcpy(name, pair.name.at, pair.name.len);
  return pair.name.len;
}

static size_t put_exact(struct writer *writer, struct cctx__pair *pair, char *name) {
  if (cctx__percent_length(pair->value) > VALUE_MAX) return 0;
  pair->value.len = cctx__percent_encode(pair->value, writer->value);
  pair->value.at = writer->value;
  writer->value[pair->value.len] = '\0';
  size_t len = name_to_exact(pair->name, name);
  if (!writer->flat) return len;
  /* Other names than HTTP's have no '.', which the form needs. */
  if (memchr(name, '.', len)) return 0;
  for (size_t i = 0; i < len; i++) name[i] = cctx__flat(name[i]);
  return len;
}

static void write_pair(struct writer *writer, struct cctx__pair pair,
                       struct cctx__sink *sink) {
  char *name = writer->name + writer->prefix;
  size_t len;
  switch (writer->form->field) {
  case CCTX_FIELD_METAINFO: len = put_http(writer, pair, name); break;
  case CCTX_FIELD_METAINFO_MAP: len = put_map(writer, pair, name); break;
  default: len = put_exact(writer, &pair, name);
  }
  if (len == 0) {
    sink->source.counts->unsendable++;
    return;
  }
  name[len] = '\0';
  cctx__sink_put(sink, writer->name, pair.value.at, pair.value.len);
}

static void write_scope(const struct form *form, const cctx *ctx,
                        const struct cctx_policy *policy, enum cctx_metadata_scope scope,
                        struct cctx__sink *sink) {
  struct writer writer;
  struct cctx__pair pair;
  unsigned which = prefix_of(policy->direction, scope == CCTX_HOP ? TRANSIT : PERSIST);
  writer.prefix = spell(form, sink->source.names, which, writer.name);
  cctx__sink_clear(sink, names_of(form, sink->source.names),
                   cctx__text_of(writer.name, writer.prefix), writer.value,
                   sizeof writer.value);
  writer.form = form;
  writer.scope = scope;
  writer.flat = sink->source.names != CCTX_NAMES_HTTP;
  writer.sending = cctx__sending_begin(ctx, policy, sink->source.counts);
  memset(writer.written, 0, sizeof writer.written);
  while (cctx__sending_next(&writer.sending, scope, &pair)) write_pair(&writer, pair, sink);
}

static void write_raw(const cctx *ctx, const struct cctx_policy *policy,
                      struct cctx__sink *sink) {
  struct cctx__sending sending = cctx__sending_begin(ctx, policy, sink->source.counts);
  struct cctx__pair pair;
  while (cctx__sending_next(&sending, CCTX_HOP, &pair))
    if (is_header_value(pair.value))
      cctx__sink_put(sink, pair.name.at, pair.value.at, pair.value.len);
    else
      sink->source.counts->unsendable++;
}

void cctx__metainfo_write(const cctx *ctx, const struct cctx_policy *policy,
                          struct cctx__sink *sink) {
  if (policy->direction == CCTX_BACKWARD_RAW) {
    if (policy->write & ANY) write_raw(ctx, policy, sink);
    return;
  }
  for (size_t i = 0; i < FORMS; i++) {
    if (!(policy->write & forms[i].field)) continue;
    write_scope(&forms[i], ctx, policy, CCTX_HOP, sink);
    if (policy->direction == CCTX_FORWARD)
      write_scope(&forms[i], ctx, policy, CCTX_REQUEST, sink);
  }
}
