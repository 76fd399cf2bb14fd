/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata: string pairs about the request that may cross a process boundary. */
#ifndef CCTX_METADATA_H
#define CCTX_METADATA_H

#include <cctx/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Metadata -------------------------------------------------------------
 *
 * A pair lives in one scope, which says how far it travels. Look-up asks hop, then
 * request, then upstream. Setting a name in one scope removes it from the others.
 * What should not leave the process is a value, not metadata.
 */
enum cctx_metadata_scope {
  CCTX_HOP,     /**< to the next process only */
  CCTX_REQUEST, /**< to every process of the request */
  CCTX_UPSTREAM /**< what the caller sent for this hop: readable, not sent on */
};

/** The word for a scope, "hop", "request" or "upstream"; NULL for any other number. */
CCTX_API const char *cctx_metadata_scope_word(int scope);

/** Budgets of one context, over all scopes. A name is 1 to 255 characters of an HTTP
 *  token (RFC 9110, 5.6.2), and case matters; a value may hold any bytes. */
#define CCTX_METADATA_PAIRS_MAX 256
#define CCTX_METADATA_BYTES_MAX 16384
#define CCTX_METADATA_NAME_MAX 255

struct cctx_metadata_pair {
  enum cctx_metadata_scope scope;
  const char *name;  /**< NUL-terminated */
  const char *value; /**< NULL, when it is set: take the name out, of whatever scope */
  size_t len;        /**< of value, which is NUL-terminated besides when it is read */
};

/** Derive in `*out` a child of `parent` with `n` more pairs, which are set one after the other: of
 *  two with the same name the later wins. On an error `*out` is as it was: CCTX_EINVAL for a name that no carrier can
 *  express or an unknown scope, CCTX_ETOOBIG over a budget, CCTX_ENOMEM. `bad` (or NULL) gets the
 *  index of the offending pair. */
CCTX_API int cctx_with_metadata(cctx **out, cctx *parent,
                                const struct cctx_metadata_pair *pairs, size_t n,
                                size_t *bad);

/** The value of `name`, NUL-terminated, with its length in `*len` (or NULL); NULL if
 *  absent. Borrowed: it lives as long as a reference to `ctx` is held. */
CCTX_API const char *cctx_metadata(const cctx *ctx, const char *name, size_t *len);

/** In which scope `name` is, an `enum cctx_metadata_scope`; CCTX_ENOTFOUND if absent. */
CCTX_API int cctx_metadata_scope(const cctx *ctx, const char *name);

/** How many pairs `ctx` has, over all scopes. */
CCTX_API size_t cctx_metadata_count(const cctx *ctx);

/** Pair `i`, in the order in which the names were first set: 0, or CCTX_ENOTFOUND past the
 *  end. Borrowed like cctx_metadata. */
CCTX_API int cctx_metadata_at(const cctx *ctx, size_t i, struct cctx_metadata_pair *out);

#ifdef __cplusplus
}
#endif
#endif
