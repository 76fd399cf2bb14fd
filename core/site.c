/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of places, cut to their room. */
#include "site.h"

#include <string.h>

void cctx__copy_head(char *to, size_t room, const char *text) {
  size_t len = strlen(text);
  if (len >= room) {
    len = room - 1;
    /* Not in the middle of a UTF-8 character, which is 4 bytes at most. */
    for (int i = 0; i < 3 && len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80; i++)
      len--;
  }
  memcpy(to, text, len);
  to[len] = '\0';
}

/* Of a path the end says more than the beginning. */
static void copy_tail(char *to, size_t room, const char *text) {
  size_t len = strlen(text);
  if (len >= room) {
    text += len - (room - 1);
    while (((unsigned char)*text & 0xC0) == 0x80) text++;
  }
  cctx__copy_head(to, room, text);
}

void cctx__site_set(struct site *to, const char *file, int line) {
  copy_tail(to->file, sizeof to->file, file ? file : "");
  to->line = file ? line : 0;
}
