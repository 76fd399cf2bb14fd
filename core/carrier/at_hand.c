/* SPDX-License-Identifier: Apache-2.0 */
/* Carriers that are at hand: an array of fields, the environment. */
#include <cctx/carrier.h>

#include <stdlib.h>
#include <string.h>

static bool field_at(void *arg, size_t i, struct cctx_field *out) {
  const struct cctx_fields *fields = arg;
  if (i >= fields->n) return false;
  *out = fields->at[i];
  return true;
}

struct cctx_carrier cctx_fields_carrier(const struct cctx_fields *fields) {
  return (struct cctx_carrier){.at = field_at, .arg = (void *)fields};
}

static const char *get_variable(void *arg, const char *name, size_t *len) {
  const char *value = getenv(name);
  (void)arg;
  if (value) *len = strlen(value);
  return value;
}

struct cctx_carrier cctx_environment(void) {
  return (struct cctx_carrier){.get = get_variable};
}
