/* SPDX-License-Identifier: Apache-2.0 */
/* A heap of times. */
#ifndef CCTX__HEAP_H
#define CCTX__HEAP_H

#include <stdbool.h>
#include <stdint.h>

/* Inside an element: adding takes no memory. Of equal times the lower order is first. A
 * pairing heap: each node is at or before its children, which form a list. */
struct heap_node {
  int64_t time;
  uint64_t order;
  struct heap_node *child; /* the first */
  struct heap_node *next;  /* sibling */
  struct heap_node *prev;  /* sibling; of a first child: the parent */
  bool in_heap;
};

struct heap {
  struct heap_node *first; /* the earliest; NULL: empty */
};

void cctx__heap_add(struct heap *heap, struct heap_node *node);

/* Take `node` out, if it is in. */
void cctx__heap_remove(struct heap *heap, struct heap_node *node);

#endif
