/* SPDX-License-Identifier: Apache-2.0 */
/* A buffer: text that grows while it is written. */
#ifndef HOST_BUFFER_H
#define HOST_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

/* All zero it is empty. Whoever has it frees `at`. */
struct buffer {
  char *at;
  size_t len, room;
  bool failed; /* for lack of memory; what was to follow is left out */
};

/* A `cctx_dump_write` whose argument is a buffer. */
void buffer_write(void *buffer, const char *bytes, size_t len);

__attribute__((format(printf, 2, 3))) void buffer_print(struct buffer *buffer,
                                                        const char *format, ...);

#endif
