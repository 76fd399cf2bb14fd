/* SPDX-License-Identifier: Apache-2.0 */
/* Where this program's own bindings are. */
#ifndef HOST_HOME_H
#define HOST_HOME_H

#include <limits.h>
#include <stdbool.h>

/* Write to `out` the directory to look in for them: false if there is none. */
bool find_lua_home(char out[PATH_MAX]);
bool find_python_home(char out[PATH_MAX]);

#endif
