/* SPDX-License-Identifier: Apache-2.0 */
/* Where this program's own bindings are: beside the directory of its executable. */
#ifndef HOST_HOME_H
#define HOST_HOME_H

#include <limits.h>
#include <stdbool.h>

/* Write the directory EXE/../`name` to `out`: false if there is none. */
bool find_home(const char *name, char out[PATH_MAX]);

#endif
