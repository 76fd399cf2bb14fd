/* SPDX-License-Identifier: Apache-2.0 */
/* The source: the fields of a carrier that is read, by name. */
#include "source.h"

#include <string.h>

/* Looks once at how many there are, so that each look-up is bounded. */
struct cctx__source cctx__source_begin(const struct cctx_carrier *carrier,
                                       enum cctx_names names, size_t most,
                                       struct cctx_carrier_counts *counts) {
  struct cctx__source source = {carrier, names, counts, 0};
  struct cctx_field field;
  while (carrier->at && carrier->at(carrier->arg, source.n, &field)) {
    if (source.n == most) {
      counts->too_big++;
      break;
    }
    source.n++;
  }
  return source;
}

static bool get_value(const struct cctx__source *source, const char *spelled,
                      size_t *cursor, struct cctx__text *value) {
  const struct cctx_carrier *carrier = source->carrier;
  size_t len = 0;
  if (!carrier->get || (*cursor)++ > 0) return false;
  const char *at = carrier->get(carrier->arg, spelled, &len);
  *value = cctx__text_of(at, len);
  return at != NULL;
}

bool cctx__source_next(const struct cctx__source *source, const char *name, size_t *cursor,
                       struct cctx__text *value) {
  const struct cctx_carrier *carrier = source->carrier;
  char room[CCTX__NAME_ROOM];
  size_t len = cctx__name_spell(source->names, cctx__text_of(name, strlen(name)), room);
  struct cctx__text spelled = cctx__text_of(room, len);
  struct cctx_field field;
  if (!carrier->at) return get_value(source, room, cursor, value);
  while (*cursor < source->n && carrier->at(carrier->arg, (*cursor)++, &field)) {
    if (!cctx__name_is(source->names, cctx__text_of(field.name, field.name_len), spelled))
      continue;
    *value = cctx__text_of(field.value, field.len);
    return true;
  }
  return false;
}

int cctx__source_only(const struct cctx__source *source, const char *name,
                      struct cctx__text *value) {
  struct cctx__text another;
  size_t cursor = 0;
  if (!cctx__source_next(source, name, &cursor, value)) return 0;
  if (!source->carrier->at || !cctx__source_next(source, name, &cursor, &another)) return 1;
  source->counts->malformed++;
  return CCTX_EINVAL;
}

bool cctx__source_begins(const struct cctx__source *source, enum cctx_names names,
                         struct cctx__text spelled, size_t *cursor, struct cctx__text *rest,
                         struct cctx__text *value) {
  const struct cctx_carrier *carrier = source->carrier;
  struct cctx_field field;
  while (*cursor < source->n && carrier->at(carrier->arg, (*cursor)++, &field)) {
    struct cctx__text name = cctx__text_of(field.name, field.name_len);
    if (name.len <= spelled.len || !cctx__name_begins(names, name, spelled)) continue;
    *rest = cctx__text_of(name.at + spelled.len, name.len - spelled.len);
    *value = cctx__text_of(field.value, field.len);
    return true;
  }
  return false;
}
