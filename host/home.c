/* SPDX-License-Identifier: Apache-2.0 */
/* Where this program's own bindings are: beside the directory of its executable. */
#define _GNU_SOURCE 1
#include "home.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool find_home(const char *name, char out[PATH_MAX]) {
  char exe[PATH_MAX], path[PATH_MAX];
  struct stat info;
  ssize_t len = readlink("/proc/self/exe", exe, sizeof exe - 1);
  if (len <= 0) return false;
  exe[len] = '\0';
  int n = snprintf(path, sizeof path, "%s/../%s", dirname(exe), name);
  if (n < 0 || (size_t)n >= sizeof path || !realpath(path, out)) return false;
  return stat(out, &info) == 0 && S_ISDIR(info.st_mode);
}
