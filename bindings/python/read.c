/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a context: each reader serves the method of a Context and the flat function that
 * asks the current one.
 */
#include "home.h"

int cctx__py_to_name(PyObject *object, const char *what, const char **name) {
  Py_ssize_t len;
  *name = cctx__py_text(object, what, &len);
  if (*name) return strlen(*name) == (size_t)len;
  if (!PyErr_ExceptionMatches(PyExc_ValueError)) return -1;
  PyErr_Clear();
  return 0;
}

static PyObject *or_default(PyObject *absent) {
  Py_INCREF(absent);
  return absent;
}

PyObject *cctx__py_read_value(struct home *home, cctx *ctx, bool is_current, PyObject *args,
                              PyObject *kwargs) {
  static char *names[] = {"key", "default", NULL};
  PyObject *key, *absent = Py_None, *bound = NULL;
  cctx_variant value;
  const char *name;
  int is_name;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:value", names, &key, &absent) ||
      (is_name = cctx__py_to_name(key, "key", &name)) < 0)
    return NULL;
  if (is_name && is_current) bound = cctx__py_bound_value(home, ctx, name);
  if (bound) return bound;
  if (!is_name || cctx_value(ctx, cctx_key_find(name), &value) != CCTX_OK)
    return or_default(absent);
  return cctx__py_from_value(home, &value);
}

PyObject *cctx__py_read_deadline(struct home *home, cctx *ctx) {
  (void)home;
  return cctx__py_from_time(cctx_deadline(ctx));
}

PyObject *cctx__py_read_remaining(struct home *home, cctx *ctx) {
  (void)home;
  return cctx__py_from_time(cctx_remaining(ctx));
}

PyObject *cctx__py_read_err(struct home *home, cctx *ctx) {
  int status = cctx_err(ctx);
  (void)home;
  if (status == CCTX_OK) Py_RETURN_NONE;
  return PyUnicode_FromString(cctx_status_word(status));
}

PyObject *cctx__py_read_cause(struct home *home, cctx *ctx) {
  return cctx__py_cause(home, ctx);
}

PyObject *cctx__py_read_check(struct home *home, cctx *ctx) {
  if (cctx__py_check(home, ctx) < 0) return NULL;
  Py_RETURN_NONE;
}

PyObject *cctx__py_read_can_be_done(struct home *home, cctx *ctx) {
  (void)home;
  return PyBool_FromLong(cctx_can_be_done(ctx));
}

/* ---- The methods, and the flat functions ------------------------------------- */

static cctx *current_ref(struct home *home) {
  cctx__py_notice(home, "ask", NULL);
  return cctx__py_current_ref();
}

/* The current context is kept for the call: making a result may run other code. */
#define XX(name, text)                                                                     \
  PyObject *cctx__py_context_##name(PyObject *self, PyObject *unused) {                    \
    (void)unused;                                                                          \
    return cctx__py_read_##name(((context_object *)self)->home,                            \
                                ((context_object *)self)->ctx);                            \
  }                                                                                        \
  static PyObject *current_##name(PyObject *module, PyObject *unused) {                    \
    struct home *home = cctx__py_home_here();                                              \
    cctx *ctx = home ? current_ref(home) : NULL;                                           \
    PyObject *result = home ? cctx__py_read_##name(home, ctx) : NULL;                      \
    (void)module, (void)unused;                                                            \
    cctx_unref(ctx);                                                                       \
    return result;                                                                         \
  }
CCTX__PY_READERS(XX)
#undef XX

#define XX(name, parameters, text)                                                         \
  PyObject *cctx__py_context_##name(PyObject *self, PyObject *args, PyObject *kwargs) {    \
    return cctx__py_read_##name(((context_object *)self)->home,                            \
                                ((context_object *)self)->ctx, false, args, kwargs);       \
  }                                                                                        \
  static PyObject *current_##name(PyObject *module, PyObject *args, PyObject *kwargs) {    \
    struct home *home = cctx__py_home_here();                                              \
    cctx *ctx = home ? current_ref(home) : NULL;                                           \
    PyObject *result = home ? cctx__py_read_##name(home, ctx, true, args, kwargs) : NULL;  \
    (void)module;                                                                          \
    cctx_unref(ctx);                                                                       \
    return result;                                                                         \
  }
CCTX__PY_CALLS(XX)
#undef XX

PyMethodDef cctx__py_readers[] = {
#define XX(name, text)                                                                     \
  {#name, current_##name, METH_NOARGS, CCTX__PY_DOC(#name, "()", text)},
    CCTX__PY_READERS(XX)
#undef XX
#define XX(name, parameters, text)                                                         \
  {#name, CCTX__PY_METHOD(current_##name), METH_VARARGS | METH_KEYWORDS,                   \
   CCTX__PY_DOC(#name, "(" parameters ")", text)},
        CCTX__PY_CALLS(XX)
#undef XX
            {NULL, NULL, 0, NULL},
};
