/* SPDX-License-Identifier: Apache-2.0 */
/* The Python interpreter inside this program. */
#ifndef HOST_PYTHON_H
#define HOST_PYTHON_H

#include <cctx/python.h>

struct python_setup {
  char **argv; /* of the script; sys.argv */
  int argc;
  const char *const *paths; /* directories of modules beside the program's own */
  size_t paths_n;
  bool signals; /* Python handles SIGINT */
};

/** Start Python and load the package cctx: its table, with the GIL held, or NULL and a
 *  sentence in `why`. */
const struct cctx_py_api *python_start(const struct python_setup *setup, char *why,
                                       size_t size);

/** Import `source`, a module that is part of this program, as `name`. New reference, or
 *  NULL with an exception. */
PyObject *python_import(const char *name, const char *source);

/** Write the pending exception in one line to `why`, and clear it. */
void python_explain(char *why, size_t size);

#endif
