/* SPDX-License-Identifier: Apache-2.0 */
/* Carriers: how a context crosses a process boundary. */
#ifndef CCTX_CARRIER_H
#define CCTX_CARRIER_H

#include <cctx/carrier_policy.h>
#include <cctx/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Carriers ----------------------------------------------------------------
 *
 * Whatever brings a request brings strings under names: headers, environment
 * variables, fields of a message. What comes in is from strangers: it is read strictly, within
 * bounds, and what is malformed costs nothing but itself.
 */

/** The bounds of what is taken from a carrier; anything longer is not looked at. */
#define CCTX_BAGGAGE_BYTES_MAX 8192
#define CCTX_BAGGAGE_MEMBERS_MAX 180
#define CCTX_TRACESTATE_BYTES_MAX 4096
#define CCTX_TRACESTATE_MEMBERS_MAX 32
#define CCTX_FIELDS_MAX 4096

/** One field of a carrier. */
struct cctx_field {
  const char *name;
  size_t name_len;
  const char *value;
  size_t len;
};

/** A carrier, by functions that get its `arg`. To be extracted from it needs `get` or `at`, the
 *  latter for metainfo and cctx-metadata, whose names are not known before. Injected into it needs
 *  `set`; with `at` besides, what another spelling of a name holds is removed. */
struct cctx_carrier {
  /** The value of `name`, spelled as the policy says ("grpc-timeout"), and its length; NULL if
   *  there is none. Borrowed until the next call. Of several values it returns NULL for a
   *  traceparent, and joins others with commas. */
  const char *(*get)(void *arg, const char *name, size_t *len);
  void *arg;
  /** Field `i`, in any order: false past the last. Borrowed until extract or inject returns, and
   *  untouched by `set`. A name may come several times. Used instead of `get` if it is there. */
  bool (*at)(void *arg, size_t i, struct cctx_field *out);
  /** Let `name` have this value, NUL-terminated besides and borrowed for the call, and no other;
   *  or remove it: a NULL value. 0, or a negative code that inject then returns. */
  int (*set)(void *arg, const char *name, const char *value, size_t len);
};

/** What cctx_extract did with a carrier's fields. */
struct cctx_extracted {
  struct cctx_trace trace; /**< all zero if there was no valid one */
  int64_t deadline;        /**< CCTX_NEVER if there was none */
  unsigned pairs;          /**< of metadata that were taken */
  unsigned refused;        /**< fields and members that were malformed, over a bound or not
                                allowed */
};

/** Derive in `*out` a child of `parent` from what `carrier` brings and `policy` (NULL:
 *  CCTX_FORMAT_HTTP) takes. A trace gives the values of the keys named "trace_id", "span_id"
 *  (lower-case hex strings), "trace_flags" (int) and "tracestate" (string): the first that is
 *  valid of traceparent, b3, x-b3-*. Pairs give metadata, of scope request, and of scope
 *  upstream what was for this hop. The earliest of the deadlines holds. What is refused is
 *  left out, and counted in `report` (or NULL) and in the policy's counts. CCTX_ENOMEM: all is
 *  as it was. Needs 40 KiB of stack. */
CCTX_API int cctx_extract(cctx **out, cctx *parent, const struct cctx_carrier *carrier,
                          const struct cctx_policy *policy, struct cctx_extracted *report);

/** Let `carrier` say of `ctx` what `policy` (NULL: CCTX_FORMAT_HTTP) sends: the trace as it
 *  is - no span is made here -, metadata of the scopes request and hop, and the time that is
 *  left. Values other than the trace's are never sent, nor is metadata of scope upstream, nor
 *  the value of a secret key. Allocates nothing, and needs 16 KiB of stack. 0; or with nothing
 *  set CCTX_ECANCELED or CCTX_EDEADLINE if `ctx` is done: there is nothing to ask of others
 *  then (a detached context is not done); or what `set` returned, and the fields before are
 *  set. */
CCTX_API int cctx_inject(const cctx *ctx, const struct cctx_carrier *carrier,
                         const struct cctx_policy *policy);

/** Fields in an array. */
struct cctx_fields {
  const struct cctx_field *at;
  size_t n;
};

/** A carrier to extract from over `fields`, borrowed; names in any case (CCTX_NAMES_HTTP). */
CCTX_API struct cctx_carrier cctx_fields_carrier(const struct cctx_fields *fields);

/** A carrier to extract from over the environment, for the policy of CCTX_FORMAT_ENVIRONMENT:
 *  TRACEPARENT, BAGGAGE, CCTX_DEADLINE. Not to be read while another thread calls setenv. To write,
 *  inject into the copy that a child process gets. */
CCTX_API struct cctx_carrier cctx_environment(void);

#ifdef __cplusplus
}
#endif
#endif
