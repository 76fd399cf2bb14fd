/* SPDX-License-Identifier: Apache-2.0 */
/* Carriers: how a context crosses a process boundary. */
#ifndef CCTX_CARRIER_H
#define CCTX_CARRIER_H

#include <cctx/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Carriers ----------------------------------------------------------------
 *
 * Whatever brings a request brings strings under names: headers, environment
 * variables, fields of a message. They come from strangers: every reader here is
 * strict, bounded, allocates nothing, and answers 0 or CCTX_EINVAL with `out` as it was.
 */

/** The identity of a trace (W3C Trace Context, level 2). Ids in wire order. */
struct cctx_trace {
  uint8_t trace_id[16];
  uint8_t span_id[8];
  uint8_t flags; /**< bit 0 sampled, bit 1 random trace id */
};

/** Characters of a traceparent of version 00, without a NUL. */
#define CCTX_TRACEPARENT_LEN 55

/** Read a `traceparent`. Upper-case digits, ids of zeros and version ff are refused;
 *  blanks around it and longer values of a later version are not. */
CCTX_API int cctx_traceparent_parse(const char *text, size_t len, struct cctx_trace *out);

/** Write `trace` as version 00, with a final NUL. */
CCTX_API void cctx_traceparent_format(const struct cctx_trace *trace,
                                      char out[CCTX_TRACEPARENT_LEN + 1]);

/** Read a `grpc-timeout` (gRPC over HTTP/2: 1 to 8 digits and one of H M S m u n) into
 *  nanoseconds. */
CCTX_API int cctx_grpc_timeout_parse(const char *text, size_t len, int64_t *timeout);

/** Read a deadline of this boot, "<first 8 digits of the boot id>:<ns of CLOCK_BOOTTIME>",
 *  into a deadline of cctx_now(). Another boot's is refused: its clock is not ours. */
CCTX_API int cctx_boot_deadline_parse(const char *text, size_t len, int64_t *deadline);

/** Write `deadline` in that form, with a final NUL. CCTX_EINVAL for CCTX_NEVER, CCTX_ETOOBIG if it
 *  does not fit in `size`, CCTX_ENOTFOUND if this system has no boot id. */
CCTX_API int cctx_boot_deadline_format(int64_t deadline, char *out, size_t size);

/** The bounds of what is taken from a carrier; anything longer is not looked at. */
#define CCTX_BAGGAGE_BYTES_MAX 8192
#define CCTX_BAGGAGE_MEMBERS_MAX 180

/** A carrier: asked for a name in lower case with hyphens ("traceparent", "grpc-timeout"),
 *  `get` returns the value and its length, or NULL. The value is borrowed until the next
 *  call. A carrier that holds several values under a name returns NULL for a
 *  traceparent (the trace then starts anew), and joins the others with commas. */
struct cctx_carrier {
  const char *(*get)(void *arg, const char *name, size_t *len);
  void *arg;
};

/** What cctx_extract did with each of a carrier's fields. */
struct cctx_extracted {
  struct cctx_trace trace; /**< all zero if there was no valid traceparent */
  int64_t deadline;        /**< CCTX_NEVER if there was none */
  unsigned pairs;          /**< members of the baggage that were taken */
  unsigned refused;        /**< fields and members that were malformed or over a bound */
};

/** Derive in `*out` a child of `parent` from what `carrier` brings: `traceparent` gives the
 *  values of the keys named "trace_id", "span_id" (lower-case hex strings) and "trace_flags"
 *  (int); `baggage` gives request metadata (the last of two with the same name wins);
 *  `grpc-timeout` and `cctx-deadline` (same boot) give a deadline, the earlier if both are
 *  there, cut to `timeout_max` ns from now (CCTX_NEVER: no cap). What is malformed is
 *  left out, and counted in `report` (or NULL). CCTX_ENOMEM: both are as they were. */
CCTX_API int cctx_extract(cctx **out, cctx *parent, const struct cctx_carrier *carrier,
                          int64_t timeout_max, struct cctx_extracted *report);

/** A carrier over the environment: "traceparent" is read from TRACEPARENT, "cctx-deadline"
 *  from CCTX_DEADLINE (OpenTelemetry environment carriers); there is no grpc-timeout, which would
 *  start anew in each process. Not to be read while another thread calls setenv. */
CCTX_API struct cctx_carrier cctx_environment(void);

#ifdef __cplusplus
}
#endif
#endif
