/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a context: each reader serves the method of a Context and the flat function that
 * asks the current one.
 */
#include "home.h"

static cctx_key *find_key(PyObject *name) {
  const char *text;
  Py_ssize_t len;
  if (!PyUnicode_Check(name)) {
    PyErr_Format(PyExc_TypeError, "the key must be a str, not %.100s",
                 Py_TYPE(name)->tp_name);
    return NULL;
  }
  text = PyUnicode_AsUTF8AndSize(name, &len);
  return text && strlen(text) == (size_t)len ? cctx_key_find(text) : NULL;
}

static PyObject *read_value(struct home *home, cctx *ctx, PyObject *args,
                            PyObject *kwargs) {
  static char *names[] = {"key", "default", NULL};
  PyObject *name, *absent = Py_None;
  cctx_variant value;
  cctx_key *key;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:value", names, &name, &absent))
    return NULL;
  key = find_key(name);
  if (PyErr_Occurred()) return NULL;
  if (cctx_value(ctx, key, &value) == CCTX_OK) return cctx__py_from_value(home, &value);
  Py_INCREF(absent);
  return absent;
}

static PyObject *read_metadata(struct home *home, cctx *ctx, PyObject *args,
                               PyObject *kwargs) {
  static char *names[] = {"name", "default", NULL};
  PyObject *absent = Py_None;
  const char *name, *value;
  size_t len;
  (void)home;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "s|O:metadata", names, &name, &absent))
    return NULL;
  value = cctx_metadata(ctx, name, &len);
  if (value) return PyUnicode_DecodeUTF8(value, (Py_ssize_t)len, "surrogateescape");
  Py_INCREF(absent);
  return absent;
}

static PyObject *read_metadata_pairs(struct home *home, cctx *ctx) {
  PyObject *list = PyList_New(0);
  struct cctx_metadata_pair pair;
  (void)home;
  for (size_t i = 0; list && cctx_metadata_at(ctx, i, &pair) == CCTX_OK; i++) {
    PyObject *value =
        PyUnicode_DecodeUTF8(pair.value, (Py_ssize_t)pair.len, "surrogateescape");
    PyObject *item = value ? Py_BuildValue("(sNs)", pair.name, value,
                                           cctx_metadata_scope_word((int)pair.scope))
                           : NULL;
    if (item == NULL || PyList_Append(list, item) < 0) Py_CLEAR(list);
    Py_XDECREF(item);
  }
  return list;
}

static PyObject *read_deadline(struct home *home, cctx *ctx) {
  (void)home;
  return cctx__py_from_time(cctx_deadline(ctx));
}

static PyObject *read_remaining(struct home *home, cctx *ctx) {
  (void)home;
  return cctx__py_from_time(cctx_remaining(ctx));
}

static PyObject *read_err(struct home *home, cctx *ctx) {
  int status = cctx_err(ctx);
  (void)home;
  if (status == CCTX_OK) Py_RETURN_NONE;
  return PyUnicode_FromString(cctx_status_word(status));
}

static PyObject *read_cause(struct home *home, cctx *ctx) {
  return cctx__py_cause(home, ctx);
}

static PyObject *read_check(struct home *home, cctx *ctx) {
  if (cctx__py_check(home, ctx) < 0) return NULL;
  Py_RETURN_NONE;
}

static PyObject *read_can_be_done(struct home *home, cctx *ctx) {
  (void)home;
  return PyBool_FromLong(cctx_can_be_done(ctx));
}

/* ---- The methods, and the flat functions ------------------------------------- */

/* The current context is kept for the call: making a result may run other code. */
#define XX(name, doc)                                                                      \
  PyObject *cctx__py_context_##name(PyObject *self, PyObject *unused) {                    \
    (void)unused;                                                                          \
    return read_##name(((context_object *)self)->home, ((context_object *)self)->ctx);     \
  }                                                                                        \
  static PyObject *current_##name(PyObject *module, PyObject *unused) {                    \
    struct home *home = cctx__py_home_here();                                              \
    cctx *ctx = home ? cctx_current_ref() : NULL;                                          \
    PyObject *result = home ? read_##name(home, ctx) : NULL;                               \
    (void)module, (void)unused;                                                            \
    cctx_unref(ctx);                                                                       \
    return result;                                                                         \
  }
CCTX__PY_READERS(XX)
#undef XX

#define XX(name, doc)                                                                      \
  PyObject *cctx__py_context_##name(PyObject *self, PyObject *args, PyObject *kwargs) {    \
    return read_##name(((context_object *)self)->home, ((context_object *)self)->ctx,      \
                       args, kwargs);                                                      \
  }                                                                                        \
  static PyObject *current_##name(PyObject *module, PyObject *args, PyObject *kwargs) {    \
    struct home *home = cctx__py_home_here();                                              \
    cctx *ctx = home ? cctx_current_ref() : NULL;                                          \
    PyObject *result = home ? read_##name(home, ctx, args, kwargs) : NULL;                 \
    (void)module;                                                                          \
    cctx_unref(ctx);                                                                       \
    return result;                                                                         \
  }
CCTX__PY_LOOKUPS(XX)
#undef XX

PyMethodDef cctx__py_readers[] = {
#define XX(name, doc) {#name, current_##name, METH_NOARGS, PyDoc_STR(doc)},
    CCTX__PY_READERS(XX)
#undef XX
#define XX(name, doc)                                                                      \
  {#name, CCTX__PY_METHOD(current_##name), METH_VARARGS | METH_KEYWORDS, PyDoc_STR(doc)},
        CCTX__PY_LOOKUPS(XX)
#undef XX
            {NULL, NULL, 0, NULL},
};
