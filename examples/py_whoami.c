/* SPDX-License-Identifier: Apache-2.0 */
/* A C extension for Python that asks for the current context, which nobody passes to it. It
 * calls no function of libcctx itself: the package's capsule has what it needs. */
#define PY_SSIZE_T_CLEAN
#include <cctx/python.h>

static const struct cctx_py_api *cctx_py;

/* whoami.tenant(): the metadata "tenant" of the request, or None. */
static PyObject *tenant(PyObject *module, PyObject *unused) {
  size_t len = 0;
  (void)module;
  (void)unused;
  const char *value = cctx_py->metadata(cctx_py->current(), "tenant", &len);
  if (!value) Py_RETURN_NONE;
  return PyUnicode_DecodeUTF8(value, (Py_ssize_t)len, "replace");
}

static int load(PyObject *module) {
  (void)module;
  cctx_py = cctx_py_import();
  return cctx_py ? 0 : -1;
}

static PyMethodDef methods[] = {
    {"tenant", tenant, METH_NOARGS, "The tenant of the current request, or None."},
    {NULL, NULL, 0, NULL}};

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)load}, {0, NULL}};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "whoami",
                                        .m_methods = methods, .m_slots = slots};

PyMODINIT_FUNC PyInit_whoami(void) { return PyModuleDef_Init(&definition); }
