/* SPDX-License-Identifier: Apache-2.0 */
/* The module cctx_fetch: what cctx_fetch.py, which is run into it, needs of a fetch.
 *
 * A fetch is a capsule. No thread but Python's own takes the GIL for it: a descriptor tells
 * the event loop, or who waits with the GIL let go, that it is done.
 */
#define PY_SSIZE_T_CLEAN
#include "fetch_python.h"

#include <cctx/python.h>
#include <string.h>

#include "cctx_fetch_py.h"
#include "fetch.h"

static const char capsule_name[] = "cctx.fetch";

static struct fetch *to_fetch(PyObject *capsule) {
  return PyCapsule_GetPointer(capsule, capsule_name);
}

static void free_capsule(PyObject *capsule) {
  if (PyCapsule_IsValid(capsule, capsule_name)) fetch_free(to_fetch(capsule));
}

/* ---- The start ---- */

static bool read_headers(PyObject *list, struct headers *out) {
  const char *name, *value;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++) {
    if (!PyArg_ParseTuple(PyList_GET_ITEM(list, i), "yy", &name, &value)) return false;
    if (headers_add(out, name, value)) continue;
    PyErr_NoMemory();
    return false;
  }
  return true;
}

/* In seconds, or None. */
static bool read_timeout(PyObject *object, int64_t *out) {
  *out = CCTX_NEVER;
  if (object == Py_None) return true;
  double seconds = PyFloat_AsDouble(object);
  if (seconds == -1.0 && PyErr_Occurred()) return false;
  if (seconds != seconds) {
    PyErr_SetString(PyExc_ValueError, "timeout of fetch is no number of seconds");
    return false;
  }
  if (seconds <= 0)
    *out = 0;
  else if (seconds < (double)(CCTX_NEVER / CCTX_SECOND))
    *out = (int64_t)(seconds * (double)CCTX_SECOND);
  return true;
}

static PyObject *start_call(cctx *ctx, const struct fetch_call *call) {
  char why[256];
  struct fetch *fetch = NULL;
  int status = fetch_start(&fetch, ctx, call, why, sizeof why);
  if (status == CCTX_EINVAL) return PyErr_Format(PyExc_ValueError, "%s", why);
  if (status != 0) return PyErr_NoMemory();
  PyObject *capsule = PyCapsule_New(fetch, capsule_name, free_capsule);
  if (!capsule) fetch_free(fetch);
  return capsule;
}

static PyObject *start(PyObject *module, PyObject *args) {
  struct fetch_call call = {.url = NULL};
  PyObject *context, *headers, *timeout, *result = NULL;
  Py_ssize_t len;
  long long body_max;
  (void)module;
  if (!PyArg_ParseTuple(args, "szO!z#OLOz", &call.url, &call.method, &PyList_Type, &headers,
                        &call.body, &len, &timeout, &body_max, &context, &call.format))
    return NULL;
  cctx *ctx = context == Py_None ? cctx_current() : cctx_py_unwrap(context);
  if (!ctx || !read_timeout(timeout, &call.timeout)) return NULL;
  if (body_max < 0)
    return PyErr_Format(PyExc_ValueError, "body_max of fetch is no number of bytes");
  call.len = call.body ? (size_t)len : 0;
  call.body_max = body_max;
  if (read_headers(headers, &call.headers)) result = start_call(ctx, &call);
  headers_free(&call.headers);
  return result;
}

/* ---- The wait ---- */

static PyObject *fd(PyObject *module, PyObject *capsule) {
  struct fetch *fetch = to_fetch(capsule);
  (void)module;
  if (!fetch) return NULL;
  if (fetch_is_done(fetch)) Py_RETURN_NONE;
  return PyLong_FromLong(fetch_fd(fetch));
}

static PyObject *wait_until_done(PyObject *module, PyObject *capsule) {
  struct fetch *fetch = to_fetch(capsule);
  bool is_done = false;
  (void)module;
  if (!fetch) return NULL;
  while (!is_done) {
    CCTX_PY_BEGIN_ALLOW_THREADS
    is_done = fetch_wait(fetch);
    CCTX_PY_END_ALLOW_THREADS
    if (!is_done && PyErr_CheckSignals() != 0) return NULL;
  }
  Py_RETURN_NONE;
}

/* Nobody waits for it any more: the capsule is used. */
static PyObject *drop(PyObject *module, PyObject *capsule) {
  struct fetch *fetch = to_fetch(capsule);
  (void)module;
  if (!fetch) return NULL;
  PyCapsule_SetName(capsule, "cctx.fetch.used");
  fetch_free(fetch);
  Py_RETURN_NONE;
}

/* ---- The result ---- */

static PyObject *make_headers(const struct headers *headers) {
  PyObject *dict = PyDict_New();
  for (size_t i = 0; dict && i < headers->n; i++) {
    const struct header *header = &headers->at[i];
    PyObject *name =
        PyUnicode_DecodeLatin1(header->name, (Py_ssize_t)strlen(header->name), NULL);
    PyObject *value =
        PyUnicode_DecodeLatin1(header->value, (Py_ssize_t)strlen(header->value), NULL);
    if (!name || !value || PyDict_SetItem(dict, name, value) < 0) Py_CLEAR(dict);
    Py_XDECREF(name);
    Py_XDECREF(value);
  }
  return dict;
}

/* context.check(), which raises. */
static PyObject *raise_stopped(cctx *ctx) {
  PyObject *context = cctx_py_wrap(ctx);
  PyObject *none = context ? PyObject_CallMethod(context, "check", NULL) : NULL;
  Py_XDECREF(context);
  if (none) PyErr_SetString(PyExc_RuntimeError, "fetch: its context is done");
  Py_XDECREF(none);
  return NULL;
}

/* result(fetch): (status, headers, body), or (late, reason), or what check raises. */
static PyObject *result(PyObject *module, PyObject *capsule) {
  struct fetch *fetch = to_fetch(capsule);
  size_t len;
  (void)module;
  if (!fetch) return NULL;
  if (!fetch_is_done(fetch))
    return PyErr_Format(PyExc_RuntimeError, "fetch: it is not done");
  enum fetch_result kind = fetch_result(fetch);
  if (kind == FETCH_STOPPED) return raise_stopped(fetch_context(fetch));
  if (kind != FETCH_ANSWERED)
    return Py_BuildValue("(Os)", kind == FETCH_LATE ? Py_True : Py_False,
                         fetch_reason(fetch));
  const char *body = fetch_body(fetch, &len);
  return Py_BuildValue("(INy#)", fetch_status(fetch), make_headers(fetch_headers(fetch)),
                       body, (Py_ssize_t)len);
}

/* ---- The module ---- */

static PyMethodDef methods[] = {
    {"_start", start, METH_VARARGS, "A fetch that is under way, or done at once."},
    {"_fd", fd, METH_O, "Readable once it is done; None if it is."},
    {"_wait", wait_until_done, METH_O, "Until it is done."},
    {"_drop", drop, METH_O, "Abort it."},
    {"_result", result, METH_O, "(status, headers, body), or (late, reason)."},
    {NULL, NULL, 0, NULL}};

/* What is written in Python. */
static bool fill_module(PyObject *module) {
  PyObject *dict = PyModule_GetDict(module); /* borrowed */
  if (!cctx_py_import()) return false;
  if (PyDict_SetItemString(dict, "__builtins__", PyEval_GetBuiltins()) < 0) return false;
  PyObject *code = Py_CompileString(cctx_fetch_py, "<cctx cctx_fetch>", Py_file_input);
  PyObject *none = code ? PyEval_EvalCode(code, dict, dict) : NULL;
  Py_XDECREF(code);
  Py_XDECREF(none);
  return none != NULL;
}

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "cctx_fetch",
                                        .m_size = -1, .m_methods = methods};

static PyObject *make_module(void) {
  PyObject *module = PyModule_Create(&definition);
  if (module && !fill_module(module)) Py_CLEAR(module);
  return module;
}

bool fetch_python_offer(void) {
  return PyImport_AppendInittab("cctx_fetch", make_module) == 0;
}
