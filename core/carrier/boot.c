/* SPDX-License-Identifier: Apache-2.0 */
/* The deadline that processes of one boot hand to each other, exact and without skew.
 *
 * CLOCK_BOOTTIME is the same for all processes of a boot (of a time namespace, which
 * is not looked at: who makes one does not pass this variable into it). The boot id
 * in front keeps the number from being read against another machine's clock.
 */
#define _GNU_SOURCE 1
#include <cctx/carrier.h>

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "text.h"

enum { ID_LEN = 8, DIGITS_MAX = 19 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char boot_id[ID_LEN]; /* written under `once`; boot_id[0] == 0: there is none */

static void read_boot_id(void) {
  char text[ID_LEN];
  int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  ssize_t n = read(fd, text, sizeof text);
  close(fd);
  if (n != ID_LEN) return;
  for (size_t i = 0; i < ID_LEN; i++)
    if (cctx__hex(text[i]) < 0) return;
  memcpy(boot_id, text, ID_LEN);
}

static bool has_boot_id(void) {
  pthread_once(&once, read_boot_id);
  return boot_id[0] != 0;
}

/* Nanoseconds of CLOCK_BOOTTIME, or -1. */
static int64_t boot_now(void) {
#ifdef CLOCK_BOOTTIME
  struct timespec t;
  if (clock_gettime(CLOCK_BOOTTIME, &t) == 0)
    return (int64_t)t.tv_sec * CCTX_SECOND + t.tv_nsec;
#endif
  return -1;
}

/* `from` later by `by`, kept within what an int64_t holds. */
static int64_t add_saturated(int64_t from, int64_t by) {
  if (by > 0 && from > INT64_MAX - by) return INT64_MAX;
  if (by < 0 && from < INT64_MIN - by) return INT64_MIN;
  return from + by;
}

int cctx_boot_deadline_parse(const char *text, size_t len, int64_t *deadline) {
  struct cctx__text field = cctx__trim(text, len);
  int64_t at, now = boot_now();
  if (now < 0 || !has_boot_id() || field.len <= ID_LEN + 1 ||
      memcmp(field.at, boot_id, ID_LEN) != 0 || field.at[ID_LEN] != ':')
    return CCTX_EINVAL;
  struct cctx__text number = {field.at + ID_LEN + 1, field.len - ID_LEN - 1};
  if (!cctx__take_number(&number, DIGITS_MAX, &at) || number.len > 0) return CCTX_EINVAL;
  *deadline = add_saturated(cctx_now(), at - now);
  return CCTX_OK;
}

int cctx_boot_deadline_format(int64_t deadline, char *out, size_t size) {
  int64_t now = boot_now();
  char text[ID_LEN + 1 + DIGITS_MAX + 1];
  if (deadline == CCTX_NEVER) return CCTX_EINVAL;
  if (now < 0 || !has_boot_id()) return CCTX_ENOTFOUND;
  int64_t left = add_saturated(deadline, -cctx_now());
  int64_t at = add_saturated(now, left);
  /* A deadline from before the boot is over; so is the boot itself. */
  int len = snprintf(text, sizeof text, "%.8s:%" PRId64, boot_id, at < 0 ? 0 : at);
  if (len < 0 || (size_t)len >= size) return CCTX_ETOOBIG;
  memcpy(out, text, (size_t)len + 1);
  return CCTX_OK;
}
