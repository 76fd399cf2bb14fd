/* SPDX-License-Identifier: Apache-2.0 */
/* Sending: the pairs of a context that a policy lets out. */
#include "send.h"

#include "names.h"

struct cctx__sending cctx__sending_begin(const cctx *ctx, const struct cctx_policy *policy,
                                         struct cctx_carrier_counts *counts) {
  size_t pairs = policy->pairs_max ? policy->pairs_max : SIZE_MAX;
  size_t bytes = policy->bytes_max ? policy->bytes_max : SIZE_MAX;
  bool limited = policy->send || policy->renames || policy->pairs_max || policy->bytes_max;
  return (struct cctx__sending){
      cctx__metadata_seen(ctx), policy, counts, limited, 0, pairs, bytes};
}

struct cctx__text cctx__sending_name(const struct cctx__sending *sending, size_t i) {
  const struct pair *pair = &sending->table->at[i];
  return cctx__rename(sending->policy->renames, false,
                      cctx__text_of(pair->text, pair->name_len));
}

bool cctx__sending_lets(struct cctx__sending *sending, struct cctx__pair *pair) {
  const struct cctx_policy *policy = sending->policy;
  if (!cctx__is_listed(policy->send, pair->name)) {
    sending->counts->withheld++;
    return false;
  }
  pair->name = cctx__rename(policy->renames, false, pair->name);
  if (sending->pairs_left == 0 || pair->name.len + pair->value.len > sending->bytes_left ||
      !cctx__is_name(pair->name)) {
    sending->counts->unsendable++;
    return false;
  }
  sending->pairs_left--;
  sending->bytes_left -= pair->name.len + pair->value.len;
  return true;
}
