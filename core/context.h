/* SPDX-License-Identifier: Apache-2.0 */
/* The node of the tree. */
#ifndef CCTX__CONTEXT_H
#define CCTX__CONTEXT_H

#include <stdatomic.h>

#include <cctx/context.h>

struct entries;
struct mark;
struct pairs;
struct response;
struct stop;

/* All of a node is one piece of memory: this, then what is its own. Immutable once it is
 * published, but for the count and the canceled state inside `stop`. */
struct cctx {
  atomic_size_t refs; /* 0: immortal */
  cctx *parent;       /* owned; NULL for the roots and for what is detached */

  struct stop *stop;    /* own: how this node stops by itself; NULL: it does not */
  void (*drop)(cctx *); /* what to do before it is freed; NULL: nothing */
  struct entries *bag;  /* own: values set at this node; NULL: none */
  struct pairs *pairs;  /* own: metadata as seen from here; NULL: see the parent */

  struct mark *mark; /* of the request it belongs to, here or above; NULL: none */

  struct response *response; /* the nearest, here or above in its request; NULL: none */

  cctx **kept; /* own: more references that it holds, given back when it is freed */
  size_t kept_n;
  cctx *next_dead; /* while it is being freed */

  const cctx *stopper;  /* nearest node with a stop, here or above; NULL: none */
  const cctx *values;   /* nearest node with a bag, here or above; NULL: none */
  const cctx *metadata; /* nearest node with pairs, here or above; NULL: none */
  int64_t deadline;     /* the earliest on the path to the root */
  bool graced;          /* somewhere above it a grace delays what stops it */
  uint32_t magic;       /* CCTX__LIVE until it is freed */
  int64_t due; /* the deadline that ends it; not that of a node that was born done */
};

/* For assertions: a node that was freed is not alive, as long as its memory is not in use again. */
#define CCTX__LIVE 0x63637478u
static inline bool cctx__is_live(const cctx *ctx) {
  return ctx != NULL && ctx->magic == CCTX__LIVE;
}

/* Give one reference back: whether it was the last, so that the caller has to free the node. */
bool cctx__give_back(cctx *ctx);

/* Free the memory of a node that nobody holds, and that has given back what it held. */
void cctx__node_free(cctx *ctx);

/* Report, in strict mode, that `parent` gets a child after its request has ended. */
void cctx__parent_check(const void *caller, const cctx *parent);

/* Room of a part of a node, so that the next one is aligned. */
#define CCTX__ALIGN(size) (((size) + 15) & ~(size_t)15)

/* A child of `parent`, or a node without one if that is NULL, with one reference and `room`
 * bytes of its own behind it at cctx__room(). It inherits all that `parent` has; the
 * caller adds its own part before it shows the node to anybody. NULL for lack of memory. */
cctx *cctx__node_new_for(const void *caller, cctx *parent, size_t room);

/* The same, called by a constructor: who called that is what strict mode names. */
#define cctx__node_new(parent, room)                                                       \
  cctx__node_new_for(__builtin_return_address(0), (parent), (room))

static inline void *cctx__room(cctx *ctx) { return (char *)ctx + CCTX__ALIGN(sizeof *ctx); }

#endif
