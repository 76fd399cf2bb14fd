/* SPDX-License-Identifier: Apache-2.0 */
/* Times between Python (seconds, float) and the core (nanoseconds). */
#include "home.h"

#include <math.h>

/* The largest double below 2^63. */
#define LIMIT 9223372036854774784.0

static bool is_number(PyObject *object) {
  const PyNumberMethods *number = Py_TYPE(object)->tp_as_number;
  return number && (number->nb_float || number->nb_index);
}

int cctx__py_to_timeout(PyObject *seconds, const char *name, int64_t *timeout) {
  double ns;
  if (seconds == Py_None) {
    *timeout = CCTX_NEVER;
    return 0;
  }
  if (!is_number(seconds)) {
    PyErr_Format(PyExc_TypeError, "%s must be a number of seconds or None, not %.100s",
                 name, Py_TYPE(seconds)->tp_name);
    return -1;
  }
  ns = PyFloat_AsDouble(seconds);
  if (ns == -1.0 && PyErr_Occurred()) {
    if (!PyLong_Check(seconds) || !PyErr_ExceptionMatches(PyExc_OverflowError)) return -1;
    PyErr_Clear();
    ns = _PyLong_Sign(seconds) < 0 ? -HUGE_VAL : HUGE_VAL;
  }
  if (isnan(ns)) {
    PyErr_Format(PyExc_ValueError, "%s is not a number of seconds, but NaN", name);
    return -1;
  }
  ns = rint(ns * 1e9);
  *timeout = ns > LIMIT ? CCTX_NEVER : ns < -LIMIT ? INT64_MIN : (int64_t)ns;
  return 0;
}

PyObject *cctx__py_from_time(int64_t time) {
  if (time == CCTX_NEVER) Py_RETURN_NONE;
  return PyFloat_FromDouble((double)time / 1e9);
}
