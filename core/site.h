/* SPDX-License-Identifier: Apache-2.0 */
/* Places in a program's text, copied: who names one need not keep it. */
#ifndef CCTX__SITE_H
#define CCTX__SITE_H

#include <stddef.h>

#include <cctx/context.h>

struct site {
  char file[CCTX_FILE_MAX]; /* "": not known */
  int line;
};

/* `file` may be NULL. Of a long one the end is kept. */
void cctx__site_set(struct site *to, const char *file, int line);

/* Copy `text`, cut to `room` with its NUL, and not in the middle of a UTF-8 character. */
void cctx__copy_head(char *to, size_t room, const char *text);

#endif
