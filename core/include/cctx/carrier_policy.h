/* SPDX-License-Identifier: Apache-2.0 */
/* Policies: what is taken from whom, and what is sent on to whom. */
#ifndef CCTX_CARRIER_POLICY_H
#define CCTX_CARRIER_POLICY_H

#include <cctx/carrier_codec.h>
#include <cctx/metadata.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Fields -------------------------------------------------------------------
 *
 *   XX(NAME, number, "word")   what scripts and options call it
 */
#define CCTX_FIELD_MAP(XX)                                                                 \
  XX(TRACE, 0x0001, "traceparent")         /* and tracestate: W3C */                       \
  XX(B3, 0x0002, "b3")                     /* one header */                                \
  XX(B3_MULTI, 0x0004, "b3-multi")         /* x-b3-traceid, -spanid, -sampled, -flags */   \
  XX(BAGGAGE, 0x0008, "baggage")           /* W3C: metadata of the request */              \
  XX(METAINFO, 0x0010, "metainfo")         /* CloudWeGo over HTTP: rpc-persist-NAME */     \
  XX(METAINFO_MAP, 0x0020, "metainfo-map") /* over maps: RPC_PERSIST_NAME */               \
  XX(METADATA, 0x0040, "cctx-metadata")    /* cctx-persist-NAME: nothing is lost */        \
  XX(GRPC_TIMEOUT, 0x0100, "grpc-timeout") /* these are relative */                        \
  XX(CONNECT_TIMEOUT, 0x0200, "connect-timeout-ms")                                        \
  XX(ENVOY_EXPECTED, 0x0400, "x-envoy-expected-rq-timeout-ms")                             \
  XX(ENVOY_UPSTREAM, 0x0800, "x-envoy-upstream-rq-timeout-ms")                             \
  XX(TIMEOUT, 0x1000, "timeout")        /* the header that the policy names */             \
  XX(DEADLINE, 0x2000, "cctx-deadline") /* of the same boot, exact */                      \
  XX(EXPIRES, 0x4000, "cctx-expires")   /* in wall-clock time, for queues */

enum cctx_field_bit {
#define XX(name, bit, word) CCTX_FIELD_##name = (bit),
  CCTX_FIELD_MAP(XX)
#undef XX
};

/** Field `i` of them, from 0 on: its word, with its bit in `*bit`; NULL past the last. */
CCTX_API const char *cctx_field_word(unsigned i, unsigned *bit);

/* ---- Counts ------------------------------------------------------------------- */

/** What became of what carriers brought and took. Zero it, let policies point to it, and read it by
 *  cctx_carrier_count while any thread uses them. */
#define CCTX_CARRIER_COUNT_MAP(XX)                                                         \
  XX(malformed)   /* fields and members that could not be read */                          \
  XX(too_big)     /* that were over a bound */                                             \
  XX(not_allowed) /* that the policy does not take */                                      \
  XX(hidden)      /* pairs that gave way to another of the same name */                    \
  XX(skewed)      /* deadlines whose sender's clock was ahead by too much */               \
  XX(cut)         /* deadlines that were cut to timeout_max */                             \
  XX(expired)     /* deadlines with no more than timeout_min left */                       \
  XX(withheld)    /* pairs that the policy does not send */                                \
  XX(unsendable)  /* pairs and ids that the field cannot express or has no room for */

struct cctx_carrier_counts {
#define XX(name) uint64_t name;
  CCTX_CARRIER_COUNT_MAP(XX)
#undef XX
};

/** Count `i` of them, from 0 on, in `*value`: its name, such as "malformed"; NULL past the last. */
CCTX_API const char *cctx_carrier_count(const struct cctx_carrier_counts *counts,
                                        unsigned i, uint64_t *value);

/* ---- Policies ----------------------------------------------------------------- */

/** How a carrier spells a name such as "x-b3-traceid". */
enum cctx_names {
  CCTX_NAMES_HTTP,       /**< so; of any case when it is read */
  CCTX_NAMES_CGI,        /**< HTTP_X_B3_TRACEID: CGI, WSGI */
  CCTX_NAMES_ENVIRONMENT /**< X_B3_TRACEID: OpenTelemetry's environment carriers */
};

/** Which way metainfo goes, and the prefix of answers, for which peers have three uses. An answer
 *  carries the pairs of scope hop to the caller, and nothing else. */
enum cctx_direction {
  CCTX_FORWARD,          /**< a request */
  CCTX_BACKWARD,         /**< an answer: rpc-backward-NAME, RPC_BACKWARD_NAME */
  CCTX_BACKWARD_TRANSIT, /**< an answer: rpc-transit-NAME, RPC_TRANSIT_NAME */
  CCTX_BACKWARD_RAW      /**< an answer: NAME. Read only under an allow-list. */
};

/** A flag: read '+' in baggage as a blank, as some peers write it. */
#define CCTX_PLUS_IS_BLANK 1u

/** The header of CCTX_FIELD_TIMEOUT: decimals in `unit` nanoseconds, written rounded up to
 *  `decimals` digits behind the point (at most 9). */
struct cctx_timeout_field {
  const char *name; /**< in lower case; NULL: none */
  int64_t unit;
  unsigned decimals;
};

/** A name of the carrier, and what it is called here. */
struct cctx_rename {
  const char *from, *to;
};

/** A plain struct, borrowed while it is used: static, or made once and never changed. All zero
 *  takes nothing and sends nothing; cctx_policy_for gives one to begin with. */
struct cctx_policy {
  enum cctx_names names;
  enum cctx_direction direction;
  unsigned read;  /**< the fields that extract looks at */
  unsigned write; /**< the fields that inject sets, or removes where there is nothing */
  unsigned flags; /**< CCTX_PLUS_IS_BLANK or 0 */
  int64_t timeout_max; /**< ns that a caller may ask for at most; 0: no cap */
  int64_t timeout_min; /**< ns: with no more left, the deadline has passed; 0: as it is */
  struct cctx_timeout_field timeout;
  const char *const
      *allow; /**< names of metadata that are taken, as they are called here, with a
                                 '*' at the end for all that begin so; a NULL ends them. NULL:
                                 all names */
  const char *const *send; /**< the same for what is sent */
  const struct cctx_rename
      *renames;                /**< ended by a NULL; applied the other way when sending */
  size_t pairs_max, bytes_max; /**< of metadata, in one carrier; 0: what a context holds */
  int64_t skew_max; /**< ns by which the sender's wall clock may be ahead; 0: 60 s */
  int64_t wall;     /**< what the wall clock says, ns since 1970, for tests; 0: ask it */
  struct cctx_carrier_counts *counts; /**< or NULL */
};

/* What a policy begins with. XX(NAME, "word") */
#define CCTX_FORMAT_MAP(XX)                                                                \
  XX(HTTP, "http")         /* W3C, and grpc-timeout and its like, with a peer */           \
  XX(STRANGER, "stranger") /* the same, with whom one does not trust: no metadata, \
                                    and at most 30 s */       \
  XX(GRPC, "grpc")         /* W3C as metadata of gRPC, which does deadlines itself */      \
  XX(CGI, "cgi")           /* HTTP as CGI and WSGI spell it */                             \
  XX(METAINFO, "metainfo") /* CloudWeGo over HTTP, beside W3C */                           \
  XX(METAINFO_MAP, "metainfo-map") /* CloudWeGo over maps */                               \
  XX(ENVIRONMENT, "environment")   /* W3C, and the same boot's deadline, in variables */   \
  XX(QUEUE, "queue")               /* W3C, and cctx-expires, in fields of a message */

enum cctx_format {
#define XX(name, word) CCTX_FORMAT_##name,
  CCTX_FORMAT_MAP(XX)
#undef XX
};

/** The word for a format, such as "http"; NULL for any other number. */
CCTX_API const char *cctx_format_word(int format);

/** The policy of a format; "http" for any other number. */
CCTX_API struct cctx_policy cctx_policy_for(enum cctx_format format);

#ifdef __cplusplus
}
#endif
#endif
