/* SPDX-License-Identifier: Apache-2.0 */
/* Where this program's own bindings are: by the way from its executable to where they were
 * installed with it, or where a build tree has them. */
#define _GNU_SOURCE 1
#include "home.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Write to `out` the directory that `way` leads to, if it has `file`. */
static bool find(const char *way, const char *file, char out[PATH_MAX]) {
  char exe[PATH_MAX], path[PATH_MAX];
  const char *from = "";
  ssize_t len = readlink("/proc/self/exe", exe, sizeof exe - 1);
  if (len <= 0 || *way == '\0') return false;
  exe[len] = '\0';
  if (*way != '/') from = dirname(exe);
  int n = snprintf(path, sizeof path, "%s/%s/%s", from, way, file);
  if (n < 0 || (size_t)n >= sizeof path || access(path, R_OK) != 0) return false;
  n = snprintf(path, sizeof path, "%s/%s", from, way);
  return realpath(path, out) != NULL;
}

bool find_lua_home(char out[PATH_MAX]) {
  return find(HOST_LUA, "cctx.so", out) || find("../lua", "cctx.so", out);
}

bool find_python_home(char out[PATH_MAX]) {
  return find(HOST_PYTHON, "cctx/__init__.py", out) ||
         find("../python", "cctx/__init__.py", out);
}
