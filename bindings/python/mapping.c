/* SPDX-License-Identifier: Apache-2.0 */
/* Mappings that callers give. */
#include "home.h"

/* Not PyObject_HasAttrString(), which takes any exception for "no". */
int cctx__py_is_mapping(PyObject *object) {
  PyObject *items;
  if (PyDict_Check(object)) return 1;
  items = PyObject_GetAttrString(object, "items");
  if (items == NULL) {
    if (!PyErr_ExceptionMatches(PyExc_AttributeError)) return -1;
    PyErr_Clear();
    return 0;
  }
  Py_DECREF(items);
  return 1;
}

PyObject *cctx__py_items(PyObject *mapping, const char *what) {
  PyObject *items;
  int is_mapping = cctx__py_is_mapping(mapping);
  if (is_mapping < 0) return NULL;
  if (!is_mapping) {
    PyErr_Format(PyExc_TypeError, "%s must be a mapping, not %.100s", what,
                 Py_TYPE(mapping)->tp_name);
    return NULL;
  }
  items = PyMapping_Items(mapping);
  for (Py_ssize_t i = 0; items && i < PyList_GET_SIZE(items); i++) {
    PyObject *item = PyList_GET_ITEM(items, i);
    if (PyTuple_Check(item) && PyTuple_GET_SIZE(item) == 2) continue;
    PyErr_Format(PyExc_TypeError, "the items of %s must be pairs", what);
    Py_CLEAR(items);
  }
  return items;
}
