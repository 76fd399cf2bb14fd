/* SPDX-License-Identifier: Apache-2.0 */
/* Policies: the words of fields and formats, what a format begins with, counts. */
#include <cctx/carrier_policy.h>

const char *cctx_field_word(unsigned i, unsigned *bit) {
  static const struct {
    unsigned bit;
    const char *word;
  } fields[] = {
#define XX(name, bit, word) {bit, word},
      CCTX_FIELD_MAP(XX)
#undef XX
  };
  if (i >= sizeof fields / sizeof *fields) return NULL;
  *bit = fields[i].bit;
  return fields[i].word;
}

const char *cctx_format_word(int format) {
  static const char *const words[] = {
#define XX(name, word) word,
      CCTX_FORMAT_MAP(XX)
#undef XX
  };
  bool known = format >= 0 && (size_t)format < sizeof words / sizeof *words;
  return known ? words[format] : NULL;
}

const char *cctx_carrier_count(const struct cctx_carrier_counts *counts, unsigned i,
                               uint64_t *value) {
  static const char *const names[] = {
#define XX(name) #name,
      CCTX_CARRIER_COUNT_MAP(XX)
#undef XX
  };
  if (i >= sizeof names / sizeof *names) return NULL;
  /* relaxed: a count orders nothing; pairs with the add of cctx__counts_add */
  *value = __atomic_load_n(&((const uint64_t *)counts)[i], __ATOMIC_RELAXED);
  return names[i];
}

/* Every field of HTTP that says when a caller stops waiting. x-envoy-upstream-rq-timeout-ms is for
 * the proxy, not for us. */
static const unsigned timeouts =
    CCTX_FIELD_GRPC_TIMEOUT | CCTX_FIELD_CONNECT_TIMEOUT | CCTX_FIELD_ENVOY_EXPECTED;
static const unsigned w3c = CCTX_FIELD_TRACE | CCTX_FIELD_BAGGAGE;

static void set_fields(struct cctx_policy *policy, unsigned read, unsigned write) {
  policy->read = read;
  policy->write = write;
}

struct cctx_policy cctx_policy_for(enum cctx_format format) {
  struct cctx_policy policy = {.names = CCTX_NAMES_HTTP};
  set_fields(&policy, w3c | timeouts, w3c | CCTX_FIELD_GRPC_TIMEOUT);
  switch (format) {
  case CCTX_FORMAT_STRANGER:
    set_fields(&policy, CCTX_FIELD_TRACE | timeouts, CCTX_FIELD_TRACE);
    policy.timeout_max = 30 * CCTX_SECOND;
    policy.timeout_min = 5 * CCTX_MILLISECOND;
    break;
  case CCTX_FORMAT_GRPC: set_fields(&policy, w3c, w3c); break;
  case CCTX_FORMAT_CGI: policy.names = CCTX_NAMES_CGI; break;
  case CCTX_FORMAT_METAINFO:
    set_fields(&policy, CCTX_FIELD_TRACE | CCTX_FIELD_METAINFO | timeouts,
               CCTX_FIELD_TRACE | CCTX_FIELD_METAINFO | CCTX_FIELD_GRPC_TIMEOUT);
    break;
  case CCTX_FORMAT_METAINFO_MAP:
    set_fields(&policy, CCTX_FIELD_METAINFO_MAP, CCTX_FIELD_METAINFO_MAP);
    break;
  case CCTX_FORMAT_ENVIRONMENT:
    policy.names = CCTX_NAMES_ENVIRONMENT;
    set_fields(&policy, w3c | CCTX_FIELD_DEADLINE, w3c | CCTX_FIELD_DEADLINE);
    break;
  case CCTX_FORMAT_QUEUE:
    set_fields(&policy, w3c | CCTX_FIELD_EXPIRES, w3c | CCTX_FIELD_EXPIRES);
    break;
  default: break;
  }
  return policy;
}
