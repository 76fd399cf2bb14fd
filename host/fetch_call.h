/* SPDX-License-Identifier: Apache-2.0 */
/* A call as libcurl wants it: checked, and with what is said of the context. */
#ifndef HOST_FETCH_CALL_H
#define HOST_FETCH_CALL_H

#include <curl/curl.h>

#include "fetch.h"

/* 0; or CCTX_EINVAL with a sentence in `why` that says what is wrong with `call`; or
 * CCTX_ENOMEM. `name`, of `name_size` bytes, gets the URL without what may be secret in it: a
 * user, a password, a query. */
int fetch_call_check(const struct fetch_call *call, char *name, size_t name_size, char *why,
                     size_t size);

/* The headers of `call`, and what its format says of `ctx`: 0 with a list in `*out` to be
 * freed; what cctx_err would say; or CCTX_ENOMEM. */
int fetch_call_headers(const struct fetch_call *call, cctx *ctx, struct curl_slist **out);

/* Tell `easy` of a checked call: false for lack of memory. */
bool fetch_call_apply(const struct fetch_call *call, CURL *easy);

#endif
