/* SPDX-License-Identifier: Apache-2.0 */
/* The package: methods of the extension's types that are written in Python. */
#include "home.h"

/* Call cctx.MODULE.NAME(self, *args, **kwargs); args may be NULL. */
static PyObject *call(const char *module, const char *name, PyObject *self, PyObject *args,
                      PyObject *kwargs) {
  PyObject *from = PyImport_ImportModule(module);
  PyObject *function = from ? PyObject_GetAttrString(from, name) : NULL;
  PyObject *first = function ? PyTuple_Pack(1, self) : NULL;
  PyObject *all = first && args ? PySequence_Concat(first, args) : NULL;
  PyObject *result = NULL;
  if (first && (all || args == NULL))
    result = PyObject_Call(function, all ? all : first, kwargs);
  Py_XDECREF(all);
  Py_XDECREF(first);
  Py_XDECREF(function);
  Py_XDECREF(from);
  return result;
}

PyObject *cctx__py_context_done(PyObject *self, PyObject *unused) {
  (void)unused;
  return call("cctx._observe", "done", self, NULL, NULL);
}

PyObject *cctx__py_context_on_done(PyObject *self, PyObject *args, PyObject *kwargs) {
  return call("cctx._observe", "on_done", self, args, kwargs);
}

PyObject *cctx__py_context_values(PyObject *self, void *unused) {
  (void)unused;
  return call("cctx._views", "Values", self, NULL, NULL);
}

PyObject *cctx__py_context_metadata_map(PyObject *self, void *unused) {
  (void)unused;
  return call("cctx._views", "Metadata", self, NULL, NULL);
}

PyObject *cctx__py_set_notice(PyObject *module, PyObject *notice) {
  struct home *home = cctx__py_home_here();
  PyObject *before;
  (void)module;
  if (home == NULL) return NULL;
  before = home->notice;
  Py_XINCREF(notice == Py_None ? NULL : notice);
  home->notice = notice == Py_None ? NULL : notice;
  Py_XDECREF(before);
  Py_RETURN_NONE;
}

void cctx__py_notice(struct home *home, const char *event, PyObject *scope) {
  PyObject *type, *error, *traceback, *notice = home->notice, *done;
  if (notice == NULL) return;
  PyErr_Fetch(&type, &error, &traceback);
  Py_INCREF(notice);
  done = PyObject_CallFunction(notice, "sO", event, scope ? scope : Py_None);
  if (done == NULL) PyErr_WriteUnraisable(notice);
  Py_XDECREF(done);
  Py_DECREF(notice);
  PyErr_Restore(type, error, traceback);
}

PyObject *cctx__py_scope_aenter(PyObject *self, PyObject *unused) {
  (void)unused;
  return call("cctx._guard", "enter", self, NULL, NULL);
}

PyObject *cctx__py_scope_aexit(PyObject *self, PyObject *args) {
  return call("cctx._guard", "leave", self, args, NULL);
}
