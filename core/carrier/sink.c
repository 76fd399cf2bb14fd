/* SPDX-License-Identifier: Apache-2.0 */
/* The sink: the fields of a carrier that is written, by name. */
#include "sink.h"

#include <string.h>

/* Remove a field by its very name, which has no NUL behind it: it is copied to `copy`. */
static void remove_field(struct cctx__sink *sink, struct cctx__text name, char *copy,
                         size_t size) {
  if (name.len >= size || memchr(name.at, '\0', name.len)) return;
  memcpy(copy, name.at, name.len);
  copy[name.len] = '\0';
  cctx__sink_put(sink, copy, NULL, 0);
}

void cctx__sink_set(struct cctx__sink *sink, const char *name, const char *value,
                    size_t len) {
  const struct cctx_carrier *carrier = sink->source.carrier;
  enum cctx_names names = sink->source.names;
  char spelled[CCTX__NAME_ROOM], copy[CCTX__NAME_ROOM];
  size_t n = cctx__name_spell(names, cctx__text_of(name, strlen(name)), spelled);
  struct cctx_field field;
  for (size_t i = 0; i < sink->source.n && carrier->at(carrier->arg, i, &field); i++) {
    struct cctx__text there = cctx__text_of(field.name, field.name_len);
    if (cctx__name_is(names, there, cctx__text_of(spelled, n)) &&
        memcmp(there.at, spelled, n) != 0)
      remove_field(sink, there, copy, sizeof copy);
  }
  cctx__sink_put(sink, spelled, value, len);
}

void cctx__sink_clear(struct cctx__sink *sink, enum cctx_names names,
                      struct cctx__text spelled, char *room, size_t size) {
  const struct cctx_carrier *carrier = sink->source.carrier;
  struct cctx_field field;
  for (size_t i = 0; i < sink->source.n && carrier->at(carrier->arg, i, &field); i++) {
    struct cctx__text there = cctx__text_of(field.name, field.name_len);
    if (there.len > spelled.len && cctx__name_begins(names, there, spelled))
      remove_field(sink, there, room, size);
  }
}
