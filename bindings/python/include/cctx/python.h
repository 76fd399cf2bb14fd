/* SPDX-License-Identifier: Apache-2.0 */
/* cctx for C code that runs Python, or that Python runs. */
#ifndef CCTX_PYTHON_H
#define CCTX_PYTHON_H

#include <Python.h>

#include <cctx.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The functions live in the package's C extension, which nobody links: cctx_py_import gets their
 * table from its capsule, for this translation unit. Call it first, in each of them, holding
 * the GIL; after that the functions at the end of this header work. They need an attached
 * thread state (the GIL), and set a Python exception when they fail.
 *
 *     if (cctx_py_import() == NULL) return NULL;
 *     result = cctx_py_call(ctx, NULL, handler, args, NULL);
 *
 * An extension that does not link libcctx asks through the table itself:
 * cctx_py_table->current(), and so on.
 */

/** What cctx_py_let_go leaves for cctx_py_take_back. */
typedef struct cctx_py_released {
  PyThreadState *state;
  cctx_token token;
} cctx_py_released;

/** The extension, for a program that has it inside (the target cctx::static_python), before
 *  it initializes Python: PyImport_AppendInittab("cctx._cctx", PyInit__cctx). */
PyMODINIT_FUNC PyInit__cctx(void);

/** The table: one for all interpreters of the process. */
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

  /** PyEval_SaveThread and PyEval_RestoreThread with the current context in hand. */
  void (*let_go)(cctx_py_released *released);
  void (*take_back)(cctx_py_released *released);
};

#define CCTX_PY_CAPSULE "cctx._cctx._C_API"

/** This translation unit's copy of where the table is; NULL before cctx_py_import. */
static const struct cctx_py_api *cctx_py_table;

/** Import the extension, and return its table; NULL with an exception (ImportError). */
static inline const struct cctx_py_api *cctx_py_import(void) {
  PyObject *module = PyImport_ImportModule("cctx._cctx"); /* says why it cannot be */
  const struct cctx_py_api *table = NULL;
  if (module != NULL)
    table = (const struct cctx_py_api *)PyCapsule_Import(CCTX_PY_CAPSULE, 0);
  Py_XDECREF(module);
  if (table != NULL && table->size < sizeof *table) {
    PyErr_SetString(PyExc_ImportError,
                    "cctx: the package that is installed is older than this program");
    return NULL;
  }
  if (cctx_py_table != table)
    cctx_py_table = table; /* once: it is read without the GIL, too */
  return table;
}

static inline PyObject *cctx_py_call(cctx *ctx, PyObject *root, PyObject *callable,
                                     PyObject *args, PyObject *kwargs) {
  return cctx_py_table->call(ctx, root, callable, args, kwargs);
}
static inline PyObject *cctx_py_wrap(cctx *ctx) { return cctx_py_table->wrap(ctx); }
static inline cctx *cctx_py_unwrap(PyObject *object) {
  return cctx_py_table->unwrap(object);
}
static inline PyObject *cctx_py_from_value(const cctx_variant *value) {
  return cctx_py_table->from_value(value);
}
static inline int cctx_py_to_value(PyObject *object, cctx_variant *out) {
  return cctx_py_table->to_value(object, out);
}
static inline void cctx_py_value_done(cctx_variant *value) {
  cctx_py_table->value_done(value);
}

/** Let go of the interpreter (its GIL) for a while, in which other threads run it: C code that
 *  this thread runs meanwhile has the same current context as before. After a plain
 *  Py_BEGIN_ALLOW_THREADS it has that too on CPython up to 3.13 with a GIL, unless, up
 *  to 3.11, there is a second interpreter; with these it always has, but for lack of
 *  memory, when it may be background. Take it back on the same thread. They do not fail. */
static inline void cctx_py_let_go(cctx_py_released *released) {
  cctx_py_table->let_go(released);
}
static inline void cctx_py_take_back(cctx_py_released *released) {
  cctx_py_table->take_back(released);
}

/** Call `fn(arg)` in between. */
static inline void cctx_py_allow_threads(void (*fn)(void *arg), void *arg) {
  cctx_py_released released;
  cctx_py_let_go(&released);
  fn(arg);
  cctx_py_take_back(&released);
}

/** The same as a block, in the place of Py_BEGIN_ALLOW_THREADS and Py_END_ALLOW_THREADS. */
#define CCTX_PY_BEGIN_ALLOW_THREADS                                                        \
  {                                                                                        \
    cctx_py_released cctx_py_released_;                                                    \
    cctx_py_let_go(&cctx_py_released_);
#define CCTX_PY_END_ALLOW_THREADS                                                          \
  cctx_py_take_back(&cctx_py_released_);                                                   \
  }

#ifdef __cplusplus
}
#endif
#endif
