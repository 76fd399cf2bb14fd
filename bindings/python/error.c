/* SPDX-License-Identifier: Apache-2.0 */
/* Causes and exceptions: why a context is done, as Python says it. */
#include "home.h"

#include <frameobject.h>

/* A named tuple, as Python code would make it. */
static PyObject *new_cause_type(void) {
  PyObject *collections = PyImport_ImportModule("collections");
  PyObject *make = collections ? PyObject_GetAttrString(collections, "namedtuple") : NULL;
  PyObject *args = Py_BuildValue("(ss)", "Cause", "status message file line time");
  PyObject *kwargs = Py_BuildValue("{ss}", "module", "cctx");
  PyObject *type = make && args && kwargs ? PyObject_Call(make, args, kwargs) : NULL;
  PyObject *doc =
      type ? PyUnicode_FromString("Why a context is done: status is 'canceled' or "
                                  "'deadline_exceeded'; message, file and line\n"
                                  "say who stopped it, time says when (seconds of "
                                  "time.monotonic()).")
           : NULL;
  if (doc == NULL || PyObject_SetAttrString(type, "__doc__", doc) < 0) Py_CLEAR(type);
  Py_XDECREF(doc);
  Py_XDECREF(kwargs);
  Py_XDECREF(args);
  Py_XDECREF(make);
  Py_XDECREF(collections);
  return type;
}

static PyObject *new_exception(PyObject *module, const char *name, const char *doc,
                               PyObject *bases) {
  PyObject *members = Py_BuildValue("{sO}", "cause", Py_None); /* until check sets it */
  PyObject *exception =
      members ? PyErr_NewExceptionWithDoc(name, doc, bases, members) : NULL;
  const char *attribute = name + sizeof "cctx." - 1;
  Py_XDECREF(members);
  if (exception == NULL) return NULL;
  if (PyObject_SetAttrString(module, attribute, exception) < 0) Py_CLEAR(exception);
  return exception;
}

int cctx__py_errors_init(struct home *home, PyObject *module) {
  PyObject *bases;
  home->cause_type = new_cause_type();
  if (home->cause_type == NULL ||
      PyObject_SetAttrString(module, "Cause", home->cause_type) < 0)
    return -1;
  home->canceled = new_exception(module, "cctx.Canceled", "The current work was canceled.",
                                 PyExc_Exception);
  if (home->canceled == NULL) return -1;
  bases = PyTuple_Pack(2, home->canceled, PyExc_TimeoutError);
  if (bases == NULL) return -1;
  home->deadline_exceeded =
      new_exception(module, "cctx.DeadlineExceeded", "The deadline has passed.", bases);
  Py_DECREF(bases);
  return home->deadline_exceeded ? 0 : -1;
}

/* Bytes that are not UTF-8 come from C, or from a text that was cut. */
static PyObject *from_text(const char *text) {
  return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "surrogateescape");
}

PyObject *cctx__py_cause(struct home *home, const cctx *ctx) {
  struct cctx_cause cause;
  PyObject *args, *result;
  if (cctx_cause(ctx, &cause) == CCTX_OK) Py_RETURN_NONE;
  args = Py_BuildValue("(sNNiN)", cctx_status_word(cause.status), from_text(cause.message),
                       from_text(cause.file), cause.line, cctx__py_from_time(cause.time));
  result = args ? PyObject_Call(home->cause_type, args, NULL) : NULL;
  Py_XDECREF(args);
  return result;
}

int cctx__py_check(struct home *home, const cctx *ctx) {
  struct cctx_cause cause;
  PyObject *message, *error, *detail;
  PyObject *type;
  int status = cctx_cause(ctx, &cause);
  if (status == CCTX_OK) return 0;
  type = status == CCTX_EDEADLINE ? home->deadline_exceeded : home->canceled;
  message = *cause.file
                ? PyUnicode_FromFormat("%s (%s:%d)", cause.message, cause.file, cause.line)
                : from_text(cause.message);
  if (message == NULL) return -1;
  error = PyObject_CallOneArg(type, message);
  Py_DECREF(message);
  detail = error ? cctx__py_cause(home, ctx) : NULL;
  if (detail && PyObject_SetAttrString(error, "cause", detail) == 0)
    PyErr_SetObject(type, error);
  Py_XDECREF(detail);
  Py_XDECREF(error);
  return -1;
}

/* Whether a frame runs a private module of this package. */
static bool is_own(PyFrameObject *frame) {
  PyObject *globals = PyObject_GetAttrString((PyObject *)frame, "f_globals");
  PyObject *name = globals ? PyMapping_GetItemString(globals, "__name__") : NULL;
  const char *text = name && PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : NULL;
  bool own = text && strncmp(text, "cctx._", 6) == 0;
  if (text == NULL) PyErr_Clear();
  Py_XDECREF(name);
  Py_XDECREF(globals);
  return own;
}

/* The innermost frame outside of this package; a new reference, or NULL. */
static PyFrameObject *asking_frame(void) {
  PyFrameObject *frame = PyEval_GetFrame(), *inner;
  Py_XINCREF(frame);
  while (frame && is_own(frame)) {
    inner = frame;
    frame = PyFrame_GetBack(inner);
    Py_DECREF(inner);
  }
  return frame;
}

/* The strings belong to a running frame's code: copy them before running anything. */
void cctx__py_place(const char **file, int *line) {
  PyFrameObject *frame = asking_frame();
  PyCodeObject *code = frame ? PyFrame_GetCode(frame) : NULL;
  *file = code ? PyUnicode_AsUTF8(code->co_filename) : NULL;
  *line = *file ? PyFrame_GetLineNumber(frame) : 0;
  if (*file == NULL) PyErr_Clear();
  Py_XDECREF(code);
  Py_XDECREF(frame);
}
