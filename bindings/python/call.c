/* SPDX-License-Identifier: Apache-2.0 */
/* Calls from C into Python, and the table by which other C code reaches them.
 *
 * A call from C is a boundary. Under the mark ASK only the variable answers, so that what runs
 * inside - older tasks of a loop among it - never falls through to what C has on its stack.
 * A host's call, with no Python below it, gets a Context of its own, so that nothing it sets
 * is there for the next request on this thread.
 */
#include "home.h"

static PyObject *call_in_fresh_context(cctx *ctx, PyObject *root, PyObject *callable,
                                       PyObject *args, PyObject *kwargs) {
  PyObject *context = root ? PyContext_Copy(root) : PyContext_New();
  PyObject *result = NULL;
  if (context == NULL) return NULL;
  if (PyContext_Enter(context) == 0) {
    result = cctx__py_call_under(ctx, CCTX_INHERITED, callable, args, kwargs);
    if (PyContext_Exit(context) < 0) Py_CLEAR(result);
  }
  Py_DECREF(context);
  return result;
}

/* A thread that has no Context yet gets one now, not by the call: what C pushed before the call
 * stands in that after it. */
static int need_context(const struct home *home) {
  PyObject *copy;
  if (PyThreadState_Get()->context != NULL) return 0;
  copy = cctx__py_copy_current(home);
  Py_XDECREF(copy);
  return copy ? 0 : -1;
}

static PyObject *call_between_marks(const struct home *home, cctx *ctx, PyObject *root,
                                    PyObject *callable, PyObject *args, PyObject *kwargs) {
  bool is_host = PyEval_GetGlobals() == NULL;
  PyObject *result;
  cctx_token mark;
  if (!is_host && need_context(home) < 0) return NULL;
  if (cctx_boundary_enter(&mark) != CCTX_OK) return PyErr_NoMemory();
  result = is_host ? call_in_fresh_context(ctx, root, callable, args, kwargs)
                   : cctx__py_call_under(ctx, CCTX_LIFETIME_AUTO, callable, args, kwargs);
  cctx_boundary_leave(&mark);
  return result;
}

static PyObject *call(cctx *ctx, PyObject *root, PyObject *callable, PyObject *args,
                      PyObject *kwargs) {
  struct home *home = cctx__py_home_here();
  PyObject *none = NULL, *result;
  if (home == NULL) return NULL;
  if (root && !PyContext_CheckExact(root)) {
    PyErr_SetString(PyExc_TypeError, "root must be a contextvars.Context or NULL");
    return NULL;
  }
  if (args == NULL && (args = none = PyTuple_New(0)) == NULL) return NULL;
  result = call_between_marks(home, ctx, root, callable, args, kwargs);
  Py_XDECREF(none);
  cctx__py_drain(home);
  return result;
}

static PyObject *wrap(cctx *ctx) {
  struct home *home = cctx__py_home_here();
  return home ? cctx__py_wrap(home, ctx) : NULL;
}

static cctx *unwrap(PyObject *object) {
  struct home *home = cctx__py_home_here();
  return home ? cctx__py_unwrap(home, object) : NULL;
}

static PyObject *from_value(const cctx_variant *value) {
  struct home *home = cctx__py_home_here();
  return home ? cctx__py_from_value(home, value) : NULL;
}

static int to_value(PyObject *object, cctx_variant *out) {
  struct home *home = cctx__py_home_here();
  return home ? cctx__py_to_value(home, object, out) : -1;
}

const struct cctx_py_api cctx__py_api = {
    .size = sizeof cctx__py_api,
    .current = cctx_current,
    .ref = cctx_ref,
    .unref = cctx_unref,
    .err = cctx_err,
    .remaining = cctx_remaining,
    .key_find = cctx_key_find,
    .value = cctx_value,
    .metadata = cctx_metadata,
    .call = call,
    .wrap = wrap,
    .unwrap = unwrap,
    .from_value = from_value,
    .to_value = to_value,
    .value_done = cctx__py_value_done,
    .let_go = cctx__py_let_go,
    .take_back = cctx__py_take_back,
};
