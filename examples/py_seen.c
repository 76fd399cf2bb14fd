/* SPDX-License-Identifier: Apache-2.0 */
/* The Python module `seen`: a C extension that tells which context it works for.
 *
 *     import seen
 *     tenant, user, trace_id, remaining = seen.seen()
 *
 * Nobody passes it a context, and it links no libcctx: the capsule of the package has all
 * that an extension needs.
 */
#define PY_SSIZE_T_CLEAN
#include <cctx/python.h>

static PyObject *metadata(const cctx *ctx, const char *name) {
  size_t len;
  const char *text = cctx_py_table->metadata(ctx, name, &len);
  if (text == NULL) Py_RETURN_NONE;
  return PyUnicode_DecodeUTF8(text, (Py_ssize_t)len, "replace");
}

static PyObject *value(const cctx *ctx, const char *name) {
  cctx_variant found;
  if (cctx_py_table->value(ctx, cctx_py_table->key_find(name), &found) != 0) Py_RETURN_NONE;
  return cctx_py_from_value(&found);
}

static PyObject *remaining(const cctx *ctx) {
  int64_t ns = cctx_py_table->remaining(ctx);
  if (ns == CCTX_NEVER) Py_RETURN_NONE;
  return PyFloat_FromDouble((double)ns / (double)CCTX_SECOND);
}

static PyObject *seen(PyObject *module, PyObject *unused) {
  cctx *ctx = cctx_py_table->ref(cctx_py_table->current());
  PyObject *result = NULL, *tenant = metadata(ctx, "tenant"), *user = NULL, *trace = NULL;
  (void)module;
  (void)unused;
  if (tenant) user = metadata(ctx, "user");
  if (user) trace = value(ctx, "trace_id");
  if (trace) result = Py_BuildValue("(OOON)", tenant, user, trace, remaining(ctx));
  Py_XDECREF(trace);
  Py_XDECREF(user);
  Py_XDECREF(tenant);
  cctx_py_table->unref(ctx);
  return result;
}

static int exec_module(PyObject *module) {
  (void)module;
  return cctx_py_import() ? 0 : -1;
}

static PyMethodDef methods[] = {
    {"seen", seen, METH_NOARGS,
     "The current context's (tenant, user, trace_id, remaining), each or None."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{Py_mod_exec, exec_module}, {0, NULL}};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "seen",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit_seen(void) { return PyModuleDef_Init(&definition); }
