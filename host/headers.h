/* SPDX-License-Identifier: Apache-2.0 */
/* Header fields of an HTTP message: pairs of strings, in the order in which they were
 * added. */
#ifndef HOST_HEADERS_H
#define HOST_HEADERS_H

#include <stdbool.h>
#include <stddef.h>

struct header {
  char *name;
  char *value;
};

/* All zero: none. */
struct headers {
  struct header *at;
  size_t n;
};

/* Add copies of both: false for lack of memory. */
bool headers_add(struct headers *headers, const char *name, const char *value);

/* The same, with the name in lower case; where it is there already, ", VALUE" is added to
 * what it has: RFC 9110, 5.2. */
bool headers_join(struct headers *headers, const char *name, const char *value);

/* Whether there is one of that name, in any case. */
bool headers_have(const struct headers *headers, const char *name);

void headers_free(struct headers *headers);

#endif
