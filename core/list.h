/* SPDX-License-Identifier: Apache-2.0 */
/* An intrusive doubly-linked list. */
#ifndef CCTX__LIST_H
#define CCTX__LIST_H

#include <stdbool.h>
#include <stddef.h>

/* A head, or a link inside an element. A link that is in no list points to itself, so taking
 * it out twice is harmless. */
struct list {
  struct list *next, *prev;
};

static inline void list_init(struct list *at) { at->next = at->prev = at; }

static inline bool list_is_empty(const struct list *head) { return head->next == head; }

static inline void list_append(struct list *head, struct list *link) {
  link->prev = head->prev;
  link->next = head;
  head->prev->next = link;
  head->prev = link;
}

static inline void list_remove(struct list *link) {
  link->prev->next = link->next;
  link->next->prev = link->prev;
  list_init(link);
}

static inline struct list *list_pop(struct list *head) {
  struct list *link = head->next;
  if (link == head) return NULL;
  list_remove(link);
  return link;
}

/* All of `from` to the end of `to`. */
static inline void list_splice(struct list *to, struct list *from) {
  if (list_is_empty(from)) return;
  from->next->prev = to->prev;
  to->prev->next = from->next;
  from->prev->next = to;
  to->prev = from->prev;
  list_init(from);
}

/* The element of `type` whose member `link` is at `at`. */
#define LIST_ELEMENT(at, type, link) ((type *)(void *)((char *)(at)-offsetof(type, link)))

#endif
