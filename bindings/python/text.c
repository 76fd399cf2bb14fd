/* SPDX-License-Identifier: Apache-2.0 */
/* Texts that callers give: names and messages. */
#include "home.h"

const char *cctx__py_text(PyObject *object, const char *what, Py_ssize_t *len) {
  const char *text;
  if (!PyUnicode_Check(object)) {
    PyErr_Format(PyExc_TypeError, "%s must be a str, not %.100s", what,
                 Py_TYPE(object)->tp_name);
    return NULL;
  }
  text = PyUnicode_AsUTF8AndSize(object, len);
  if (text == NULL && PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) {
    PyErr_Clear();
    PyErr_Format(PyExc_ValueError, "%s %A has lone surrogates: it has no UTF-8 form", what,
                 object);
  }
  return text;
}

int cctx__py_message(PyObject *object, const char **message) {
  Py_ssize_t len;
  *message = NULL;
  if (object == NULL || object == Py_None) return 0;
  if (!PyUnicode_Check(object)) {
    PyErr_Format(PyExc_TypeError, "message must be a str or None, not %.100s",
                 Py_TYPE(object)->tp_name);
    return -1;
  }
  *message = cctx__py_text(object, "message", &len);
  if (*message == NULL) return -1;
  if (strlen(*message) == (size_t)len) return 0;
  PyErr_SetString(PyExc_ValueError, "message must not contain a NUL character");
  return -1;
}
