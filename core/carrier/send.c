/* SPDX-License-Identifier: Apache-2.0 */
/* Sending: the pairs of a context that a policy lets out. */
#include "send.h"

#include <string.h>

#include "names.h"

struct cctx__sending cctx__sending_begin(const cctx *ctx, const struct cctx_policy *policy,
                                         struct cctx_carrier_counts *counts) {
  size_t pairs = policy->pairs_max ? policy->pairs_max : SIZE_MAX;
  size_t bytes = policy->bytes_max ? policy->bytes_max : SIZE_MAX;
  return (struct cctx__sending){ctx, policy, counts, 0, pairs, bytes};
}

bool cctx__sending_next(struct cctx__sending *sending, enum cctx_metadata_scope scope,
                        struct cctx__pair *pair) {
  const struct cctx_policy *policy = sending->policy;
  struct cctx_metadata_pair at;
  while (cctx_metadata_at(sending->ctx, sending->i++, &at) == CCTX_OK) {
    struct cctx__text name;
    if (at.scope != scope) continue;
    name = cctx__text_of(at.name, strlen(at.name));
    if (!cctx__is_listed(policy->send, name)) {
      sending->counts->withheld++;
      continue;
    }
    bool renamed = policy->renames != NULL;
    if (renamed) name = cctx__rename_out(policy->renames, name);
    if (sending->pairs_left == 0 || name.len + at.len > sending->bytes_left ||
        (renamed && !cctx__is_name(name))) {
      sending->counts->unsendable++;
      continue;
    }
    sending->pairs_left--;
    sending->bytes_left -= name.len + at.len;
    pair->name = name;
    pair->value = cctx__text_of(at.value, at.len);
    return true;
  }
  return false;
}
