/* SPDX-License-Identifier: Apache-2.0 */
/* Dumps: what a context is made of, for people and for tools. */
#ifndef CCTX_DUMP_H
#define CCTX_DUMP_H

#include <cctx/metadata.h>
#include <cctx/value.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Dumps -----------------------------------------------------------------------
 *
 * The path of a context, from its root down: each node with its kind, its deadline where
 * that is another than its parent's, what has ended it, and the names that it sets. Values
 * are shown only if they are asked for, those of secret keys (CCTX_KEY_SECRET) and pointers
 * never.
 *
 * Names and values may be a stranger's: any byte is written so that it cannot end a line, a
 * string or a label, and JSON always parses and is UTF-8. All is bounded: the nearest
 * CCTX_DUMP_NODES nodes, the first CCTX_DUMP_ITEMS values and pairs of each, and
 * CCTX_DUMP_BYTES bytes of each text; what is left out is counted.
 *
 * Nothing is allocated, no lock is held, and contexts are only read: any thread that holds a
 * reference may dump, while others use and cancel the context.
 */
enum { CCTX_DUMP_NODES = 64, CCTX_DUMP_ITEMS = 64, CCTX_DUMP_BYTES = 256 };

/** A flag: show values, too. */
#define CCTX_DUMP_VALUES 1u

/** Takes the next `len` bytes of what is written, in order. `bytes` has no NUL at its end. */
typedef void cctx_dump_write(void *arg, const char *bytes, size_t len);

/** Write `ctx` as lines of visible ASCII, the first of which says what it is now. */
CCTX_API void cctx_dump_text(const cctx *ctx, unsigned flags, cctx_dump_write *write,
                             void *arg);

/** Write `ctx` as one JSON object, without line breaks:
 *
 *      {"status": "live" or as cctx_status_word says, "remaining": seconds or null,
 *       "cause": null or {"message", "file", "line"}, "more": nodes left out,
 *       "path": [{"kind", "status", "remaining": only where its deadline is new,
 *                 "values": [{"name", "value" or "type" or "secret": true}],
 *                 "metadata": [{"name", "scope", "value"}, or {"name", "removed": true}],
 *                 "more": values and pairs left out}]}
 *
 *  A value is there if CCTX_DUMP_VALUES is in `flags`; then a pointer has a type in its place. */
CCTX_API void cctx_dump_json(const cctx *ctx, unsigned flags, cctx_dump_write *write,
                             void *arg);

/** Write `n` contexts as one graph for Graphviz, in which a node that several share is one. The
 *  nodes are named by their addresses. */
CCTX_API void cctx_dump_dot(const cctx *const *contexts, size_t n, unsigned flags,
                            cctx_dump_write *write, void *arg);

/** Write `len` bytes as a JSON string, with its quotes: what is no UTF-8 becomes U+FFFD, and
 *  control characters, <, > and & are escaped, so that it is safe in HTML too. Not cut. */
CCTX_API void cctx_dump_json_string(const char *bytes, size_t len, cctx_dump_write *write,
                                    void *arg);

#ifdef __cplusplus
}
#endif
#endif
