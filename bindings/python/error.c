/* SPDX-License-Identifier: Apache-2.0 */
/* Causes and exceptions: why a context is done, as Python says it. */
#include "home.h"

static PyStructSequence_Field cause_fields[] = {
    {"status", "'canceled' or 'deadline_exceeded'"},
    {"message", "what the canceler, or the deadline's owner, said"},
    {"file", "where, or '' if not known"},
    {"line", "where, or 0 if not known"},
    {"time", "when, in seconds of time.monotonic()"},
    {NULL, NULL},
};

static PyStructSequence_Desc cause_desc = {
    "cctx.Cause", "Why a context is done, and who stopped it.", cause_fields, 5};

static PyObject *new_exception(PyObject *module, const char *name, const char *doc,
                               PyObject *bases) {
  PyObject *exception = PyErr_NewExceptionWithDoc(name, doc, bases, NULL);
  const char *attribute = name + sizeof "cctx." - 1;
  if (exception == NULL) return NULL;
  if (PyObject_SetAttrString(module, attribute, exception) < 0) Py_CLEAR(exception);
  return exception;
}

int cctx__py_errors_init(struct home *home, PyObject *module) {
  PyObject *bases;
  home->cause_type = PyStructSequence_NewType(&cause_desc);
  if (home->cause_type == NULL ||
      PyObject_SetAttrString(module, "Cause", (PyObject *)home->cause_type) < 0)
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

PyObject *cctx__py_cause(struct home *home, const cctx *ctx) {
  struct cctx_cause cause;
  PyObject *result, *items[5];
  if (cctx_cause(ctx, &cause) == CCTX_OK) Py_RETURN_NONE;
  result = PyStructSequence_New(home->cause_type);
  if (result == NULL) return NULL;
  items[0] = PyUnicode_FromString(cctx_status_word(cause.status));
  items[1] = PyUnicode_DecodeUTF8(cause.message, (Py_ssize_t)strlen(cause.message),
                                  "surrogateescape");
  items[2] =
      PyUnicode_DecodeUTF8(cause.file, (Py_ssize_t)strlen(cause.file), "surrogateescape");
  items[3] = PyLong_FromLong(cause.line);
  items[4] = cctx__py_from_time(cause.time);
  for (int i = 0; i < 5; i++) PyStructSequence_SetItem(result, i, items[i]);
  for (int i = 0; i < 5; i++)
    if (items[i] == NULL) {
      Py_DECREF(result);
      return NULL;
    }
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
                : PyUnicode_FromString(cause.message);
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

/* The strings belong to the running frame's code: copy them before running anything. */
void cctx__py_place(const char **file, int *line) {
  PyFrameObject *frame = PyEval_GetFrame();
  PyCodeObject *code = frame ? PyFrame_GetCode(frame) : NULL;
  *file = code ? PyUnicode_AsUTF8(code->co_filename) : NULL;
  *line = *file ? PyFrame_GetLineNumber(frame) : 0;
  if (*file == NULL) PyErr_Clear();
  Py_XDECREF(code);
}
