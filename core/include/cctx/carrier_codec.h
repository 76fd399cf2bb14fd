/* SPDX-License-Identifier: Apache-2.0 */
/* Codecs: single fields of a carrier, read and written. */
#ifndef CCTX_CARRIER_CODEC_H
#define CCTX_CARRIER_CODEC_H

#include <cctx/clock.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Codecs ------------------------------------------------------------------
 *
 * What a stranger sent is read strictly and within bounds, without allocating; the answer is 0
 * or CCTX_EINVAL with `out` as it was. For a host that has one field at hand;
 * cctx_extract and cctx_inject use the same.
 */

/** The identity of a trace (W3C Trace Context, level 2). Ids in wire order. */
struct cctx_trace {
  uint8_t trace_id[16];
  uint8_t span_id[8];
  uint16_t flags; /**< CCTX_TRACE_SAMPLED and so on */
};

#define CCTX_TRACE_SAMPLED 0x01u
#define CCTX_TRACE_RANDOM 0x02u    /**< the trace id is random */
#define CCTX_TRACE_DEBUG 0x100u    /**< of B3: sampled, whatever a sampler says */
#define CCTX_TRACE_DEFERRED 0x200u /**< of B3: whether it is sampled was left open */

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

/** Characters of the longest grpc-timeout, without a NUL. */
#define CCTX_GRPC_TIMEOUT_LEN 9

/** Write `timeout` in the finest unit in which it has at most 8 digits, rounded up, with a final
 *  NUL. CCTX_EINVAL for one that has passed, or CCTX_NEVER: neither is sent. */
CCTX_API int cctx_grpc_timeout_format(int64_t timeout, char out[CCTX_GRPC_TIMEOUT_LEN + 1]);

/** Read a deadline of this boot, "<first 8 digits of the boot id>:<ns of CLOCK_BOOTTIME>",
 *  into a deadline of cctx_now(). Another boot's is refused: its clock is not ours. */
CCTX_API int cctx_boot_deadline_parse(const char *text, size_t len, int64_t *deadline);

/** Write `deadline` in that form, with a final NUL. CCTX_EINVAL for CCTX_NEVER, CCTX_ETOOBIG if it
 *  does not fit in `size`, CCTX_ENOTFOUND if this system has no boot id. */
CCTX_API int cctx_boot_deadline_format(int64_t deadline, char *out, size_t size);

#ifdef __cplusplus
}
#endif
#endif
