/* SPDX-License-Identifier: Apache-2.0 */
/* The members of a W3C baggage, one after the other. */
#ifndef CCTX__BAGGAGE_H
#define CCTX__BAGGAGE_H

#include "text.h"

/* What is still to be read. Borrows the field. */
struct cctx__baggage {
  struct cctx__text rest;
};

/* One member: the name as it was sent, the value still percent-encoded. Both are borrowed
 * from the field; the properties behind the value are left out. */
struct cctx__member {
  struct cctx__text name;
  struct cctx__text value;
};

/* Take the next member off `baggage`: 1 and `*out` filled; 0 at the end; CCTX_EINVAL if it
 * is malformed, and then the one behind it is next. Empty members are skipped. */
int cctx__baggage_next(struct cctx__baggage *baggage, struct cctx__member *out);

/* Write the decoded value to `out`, which has room for value.len bytes: the result is
 * never longer. What is not UTF-8 becomes U+FFFD. Returns its length; no NUL is added. */
size_t cctx__baggage_decode(struct cctx__text value, char *out);

#endif
