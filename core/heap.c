/* SPDX-License-Identifier: Apache-2.0 */
/* A pairing heap: adding is one comparison, removing is O(log n) amortized, nothing recurses. */
#include "heap.h"

#include <stddef.h>

static bool is_before(const struct heap_node *a, const struct heap_node *b) {
  return a->time != b->time ? a->time < b->time : a->order < b->order;
}

/* Two heaps in one; either may be NULL. Their roots have no siblings. */
static struct heap_node *meld(struct heap_node *a, struct heap_node *b) {
  if (a == NULL) return b;
  if (b == NULL) return a;
  if (is_before(b, a)) {
    struct heap_node *swap = a;
    a = b;
    b = swap;
  }
  b->next = a->child;
  if (b->next) b->next->prev = b;
  b->prev = a;
  a->child = b;
  return a;
}

/* Take the first sibling off `*list`. */
static struct heap_node *shift(struct heap_node **list) {
  struct heap_node *node = *list;
  if (node == NULL) return NULL;
  *list = node->next;
  node->next = node->prev = NULL;
  return node;
}

/* A list of siblings in one heap: in pairs from the left, then the pairs from the right. */
static struct heap_node *meld_all(struct heap_node *list) {
  struct heap_node *pairs = NULL, *result = NULL;
  while (list) {
    struct heap_node *a = shift(&list), *pair = meld(a, shift(&list));
    pair->next = pairs;
    pairs = pair;
  }
  while (pairs) result = meld(result, shift(&pairs));
  return result;
}

void cctx__heap_add(struct heap *heap, struct heap_node *node) {
  node->child = node->next = node->prev = NULL;
  node->in_heap = true;
  heap->first = meld(heap->first, node);
}

void cctx__heap_remove(struct heap *heap, struct heap_node *node) {
  struct heap_node *below;
  if (!node->in_heap) return;
  node->in_heap = false;
  below = meld_all(node->child);
  if (node == heap->first) {
    heap->first = below;
    return;
  }
  if (node->prev->child == node)
    node->prev->child = node->next;
  else
    node->prev->next = node->next;
  if (node->next) node->next->prev = node->prev;
  heap->first = meld(heap->first, below);
}
