/* SPDX-License-Identifier: Apache-2.0 */
/* cctx for C code that runs Python, or that Python runs. */
#ifndef CCTX_PYTHON_H
#define CCTX_PYTHON_H

#include <Python.h>

#include <cctx.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The functions live in the package's C extension, which nobody links: a C extension or a
 * host gets this table from its capsule. Once per translation unit, holding the GIL:
 *
 *     const struct cctx_py_api *cctx_py = cctx_py_import();
 *
 * The table is the same for every interpreter of the process. Every function needs an attached
 * thread state (the GIL), and sets a Python exception when it fails.
 */
struct cctx_py_api {
  size_t size; /**< of this struct in the extension that is loaded; it only grows */

  /* What an extension needs that does not link libcctx itself. */
  cctx *(*current)(void); /**< cctx_current */
  cctx *(*ref)(cctx *ctx);
  void (*unref)(cctx *ctx);
  int (*err)(const cctx *ctx);
  int64_t (*remaining)(const cctx *ctx);
  cctx_key *(*key_find)(const char *name);
  int (*value)(const cctx *ctx, const cctx_key *key, cctx_variant *out);
  const char *(*metadata)(const cctx *ctx, const char *name, size_t *len);

  /** Call `callable` with `ctx` current, for Python and for the C code below it. From
   *  a host, with no Python frame below, the call runs in a fresh copy of `root` (a
   *  contextvars.Context, or NULL for an empty one), so that nothing of it is left for the next
   *  request; from inside Python it runs in the caller's Context. `args` is a tuple or NULL,
   *  `kwargs` a dict or NULL. A new reference, or NULL with an exception. */
  PyObject *(*call)(cctx *ctx, PyObject *root, PyObject *callable, PyObject *args,
                    PyObject *kwargs);

  /** A cctx.Context that holds its own reference to `ctx`. New reference or NULL. */
  PyObject *(*wrap)(cctx *ctx);

  /** The context of a cctx.Context, borrowed from it; NULL with a TypeError for anything else. */
  cctx *(*unwrap)(PyObject *object);

  /** `value` as Python sees it: a pointer that Python does not own is a capsule. New
   *  reference or NULL. */
  PyObject *(*from_value)(const cctx_variant *value);

  /** Read `object` into `out`: 0, or -1 with an exception. None, bool, int of 64 bits, float and
   *  str are themselves (a str borrowed from `object`); anything else is a pointer that only
   *  Python can read. Call value_done when the variant has been stored, or will not be. */
  int (*to_value)(PyObject *object, cctx_variant *out);
  void (*value_done)(cctx_variant *value);
};

#define CCTX_PY_CAPSULE "cctx._cctx._C_API"

/** Import the extension, and return its table; NULL with an exception (ImportError). */
static inline const struct cctx_py_api *cctx_py_import(void) {
  const struct cctx_py_api *api =
      (const struct cctx_py_api *)PyCapsule_Import(CCTX_PY_CAPSULE, 0);
  if (api != NULL && api->size < sizeof *api) {
    PyErr_SetString(PyExc_ImportError,
                    "cctx: the package that is installed is older than this program");
    return NULL;
  }
  return api;
}

#ifdef __cplusplus
}
#endif
#endif
