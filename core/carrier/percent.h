/* SPDX-License-Identifier: Apache-2.0 */
/* Percent-encoding, as W3C Baggage has it. */
#ifndef CCTX__PERCENT_H
#define CCTX__PERCENT_H

#include "text.h"

/* Whether each '%' is followed by its two digits, and all is printable ASCII but for '"', ',',
 * ';' and '\'. */
bool cctx__percent_check(struct cctx__text text);

/* Write what `value`, which was checked, stands for to `out`, which has room for value.len bytes:
 * the result is never longer. `blank` stands for a blank too, unless it is 0. With `any`, bytes
 * may be any; else what is not UTF-8 becomes U+FFFD. Returns its length; no NUL is added. */
size_t cctx__percent_decode(struct cctx__text value, char blank, bool any, char *out);

/* The length of `value` encoded; and write it to `out`. All but letters, digits, '-', '.', '_' and
 * '~' is encoded: what every reader understands alike. */
size_t cctx__percent_length(struct cctx__text value);
size_t cctx__percent_encode(struct cctx__text value, char *out);

#endif
