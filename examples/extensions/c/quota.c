/* SPDX-License-Identifier: Apache-2.0 */
/* A C extension that links nothing: it asks through the table of the package cctx. */
#define PY_SSIZE_T_CLEAN
#include <cctx/python.h>

/* quota.describe(): whose request this is, and why it should stop. */
static PyObject *describe(PyObject *module, PyObject *unused) {
  const cctx *ctx = cctx_py_table->current(); /* borrowed until script code runs */
  size_t len = 0;
  const char *tenant = cctx_py_table->metadata(ctx, "tenant", &len);
  int err = cctx_py_table->err(ctx);
  (void)module;
  (void)unused;
  return PyUnicode_FromFormat("%s %s", tenant ? tenant : "nobody", err ? "stop" : "go on");
}

static int load(PyObject *module) {
  (void)module;
  return cctx_py_import() ? 0 : -1;
}

static PyMethodDef methods[] = {
    {"describe", describe, METH_NOARGS, "Whose request this is, and whether it goes on."},
    {NULL, NULL, 0, NULL}};

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)load}, {0, NULL}};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "quota",
                                        .m_methods = methods, .m_slots = slots};

PyMODINIT_FUNC PyInit_quota(void) { return PyModuleDef_Init(&definition); }
