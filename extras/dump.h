/* SPDX-License-Identifier: Apache-2.0 */
/* The path of a context, as the dumps of it go through it. */
#ifndef CCTX__DUMP_H
#define CCTX__DUMP_H

#include <cctx/dump.h>

/* Where a dump is written to. */
struct sink {
  cctx_dump_write *write;
  void *arg;
  unsigned flags;
};

void cctx__put(const struct sink *sink, const char *text);
void cctx__put_number(const struct sink *sink, int64_t number);

/* Nanoseconds as seconds: "1.250". A locale says nothing to it. */
void cctx__put_seconds(const struct sink *sink, int64_t ns);

/* The shortest of 17 digits or less that reads back as `number`, which is finite. */
void cctx__put_double(const struct sink *sink, double number);

/* The nodes of a path that are shown, nearest first, and how many are not. */
struct path {
  const cctx *at[CCTX_DUMP_NODES];
  size_t n, more;
};

void cctx__path_of(const cctx *ctx, struct path *path);

/* The deadline of `ctx` where its parent has another: false if it is the parent's. */
bool cctx__own_deadline(const cctx *ctx, const struct cctx_node *node, int64_t *deadline);

/* Pair `*i`, or one after it, that `node` of `ctx` sets, and in the second walk one that it
 * takes out; then `*i` is behind it. False: there is none left. */
bool cctx__next_set(const cctx *ctx, const struct cctx_node *node, size_t *i,
                    struct cctx_metadata_pair *out);
bool cctx__next_removed(const cctx *ctx, const struct cctx_node *node, size_t *i,
                        struct cctx_metadata_pair *out);

/* How much of a text is shown, and never a part of a character of UTF-8. */
size_t cctx__cut(const char *bytes, size_t len);

#endif
