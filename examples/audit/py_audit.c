/* SPDX-License-Identifier: Apache-2.0 */
/* The Python module `audit`: libaudit for scripts.
 *
 *     import audit
 *     audit.write("order placed")
 *
 * An ordinary extension: not one line of it knows of contexts. It lets go of the GIL while
 * it writes, and libaudit still learns, without it, who the calling task works for.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "audit.h"

static PyObject *fail(int code) {
  errno = code;
  return PyErr_SetFromErrno(PyExc_OSError);
}

static PyObject *open_log(PyObject *module, PyObject *args) {
  const char *path;
  int code;
  (void)module;
  if (!PyArg_ParseTuple(args, "z:open", &path)) return NULL;
  code = audit_open(path);
  if (code != 0) return fail(code);
  Py_RETURN_NONE;
}

static PyObject *line(PyObject *module, PyObject *args) {
  char text[AUDIT_LINE_MAX];
  const char *event;
  (void)module;
  if (!PyArg_ParseTuple(args, "s:line", &event)) return NULL;
  audit_line(text, event);
  return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
}

static PyObject *write_line(PyObject *module, PyObject *args) {
  const char *event;
  int code;
  (void)module;
  if (!PyArg_ParseTuple(args, "s:write", &event)) return NULL;
  Py_BEGIN_ALLOW_THREADS;
  code = audit_write(event);
  Py_END_ALLOW_THREADS;
  if (code != 0) return fail(code);
  Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"open", open_log, METH_VARARGS, "open(path): append to a file; None: standard error."},
    {"line", line, METH_VARARGS, "line(event): the line for it, as str."},
    {"write", write_line, METH_VARARGS, "write(event): write the line for it."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "audit",
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit_audit(void) { return PyModuleDef_Init(&definition); }
