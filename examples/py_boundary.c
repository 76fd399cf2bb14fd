/* SPDX-License-Identifier: Apache-2.0 */
/* The Python module `boundary`: for what calls Python without cctx_py_call.
 *
 *     lua.globals().f = lambda x: boundary.call(f, x)
 *
 * Code that embeds another language in Python, such as lupa, calls back into Python as any
 * C code does. What the other language made current is then current in the function, but
 * not in the tasks and copies of the Context that it makes; and once an event loop has run
 * in it, C cannot tell any more where Python stands. Under call() both are as in a host's
 * call.
 */
#define PY_SSIZE_T_CLEAN
#include <cctx/python.h>

/* A thread has no Context before it needs one. Make it now, so that the call comes back to
 * the Context that it left. */
static int need_context(void) {
  PyObject *copy = PyContext_CopyCurrent();
  Py_XDECREF(copy);
  return copy ? 0 : -1;
}

/* call(function, *args, **kwargs) */
static PyObject *call(PyObject *module, PyObject *args, PyObject *kwargs) {
  PyObject *rest, *result;
  cctx *ctx;
  (void)module;
  if (PyTuple_GET_SIZE(args) == 0) {
    PyErr_SetString(PyExc_TypeError, "call takes a function, and its arguments");
    return NULL;
  }
  if (need_context() < 0) return NULL;
  rest = PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args));
  if (rest == NULL) return NULL;
  ctx = cctx_py_table->ref(cctx_py_table->current());
  result = cctx_py_call(ctx, NULL, PyTuple_GET_ITEM(args, 0), rest, kwargs);
  cctx_py_table->unref(ctx);
  Py_DECREF(rest);
  return result;
}

static int load(PyObject *module) {
  (void)module;
  return cctx_py_import() ? 0 : -1;
}

static PyMethodDef methods[] = {
    {"call", (PyCFunction)(void (*)(void))call, METH_VARARGS | METH_KEYWORDS,
     "call(function, *args, **kwargs): call it as a host would."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)load}, {0, NULL}};

static struct PyModuleDef definition = {.m_base = PyModuleDef_HEAD_INIT,
                                        .m_name = "boundary",
                                        .m_methods = methods,
                                        .m_slots = slots};

PyMODINIT_FUNC PyInit_boundary(void) { return PyModuleDef_Init(&definition); }
