/* SPDX-License-Identifier: Apache-2.0 */
/* A buffer: text that grows while it is written. */
#include "buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool make_room(struct buffer *buffer, size_t len) {
  size_t room = buffer->room ? buffer->room : 1024;
  if (buffer->failed) return false;
  if (len <= buffer->room - buffer->len) return true;
  while (room - buffer->len < len) room *= 2;
  char *grown = realloc(buffer->at, room);
  buffer->failed = grown == NULL;
  if (!grown) return false;
  buffer->at = grown;
  buffer->room = room;
  return true;
}

void buffer_write(void *arg, const char *bytes, size_t len) {
  struct buffer *buffer = arg;
  if (len == 0 || !make_room(buffer, len)) return;
  memcpy(buffer->at + buffer->len, bytes, len);
  buffer->len += len;
}

void buffer_print(struct buffer *buffer, const char *format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int len = vsnprintf(NULL, 0, format, args);
  if (len >= 0 && make_room(buffer, (size_t)len + 1)) {
    vsnprintf(buffer->at + buffer->len, (size_t)len + 1, format, again);
    buffer->len += (size_t)len;
  }
  va_end(again);
  va_end(args);
}
