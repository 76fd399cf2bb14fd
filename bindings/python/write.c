/* SPDX-License-Identifier: Apache-2.0 */
/* Writing context variables, the binding's own and bound ones.
 *
 * Up to 3.11 the collector may run wherever memory is taken, and with it what sets variables, such
 * as a scope in a generator that nobody holds: in the midst of a set, which would then put back
 * what that has just left, or read what it has freed; a copy would read what that has freed. So it
 * does not run meanwhile. */
#include "home.h"

#if PY_VERSION_HEX >= 0x030C0000
static int stop_collecting(const struct home *home) { return (void)home, 0; }
static void collect_again(const struct home *home, int collected) {
  (void)home, (void)collected;
}
#elif PY_VERSION_HEX >= 0x030A0000
static int stop_collecting(const struct home *home) { return (void)home, PyGC_Disable(); }
static void collect_again(const struct home *home, int collected) {
  (void)home;
  if (collected) PyGC_Enable();
}
#else
/* Whether the module gc answered with something true. */
static int tell_collector(const struct home *home, const char *what) {
  PyObject *said = PyObject_CallMethod(home->gc, what, NULL);
  int yes = said && PyObject_IsTrue(said) > 0;
  Py_XDECREF(said);
  PyErr_Clear();
  return yes;
}
static int stop_collecting(const struct home *home) {
  int collects = tell_collector(home, "isenabled");
  if (collects) tell_collector(home, "disable");
  return collects;
}
static void collect_again(const struct home *home, int collected) {
  if (collected) tell_collector(home, "enable");
}
#endif

PyObject *cctx__py_set(const struct home *home, PyObject *variable, PyObject *value) {
  int collected = stop_collecting(home);
  PyObject *token = PyContextVar_Set(variable, value);
  collect_again(home, collected);
  return token;
}

int cctx__py_reset(const struct home *home, PyObject *variable, PyObject *token) {
  int collected = stop_collecting(home);
  int status = PyContextVar_Reset(variable, token);
  collect_again(home, collected);
  return status;
}

PyObject *cctx__py_copy_current(const struct home *home) {
  int collected = stop_collecting(home);
  PyObject *copy = PyContext_CopyCurrent();
  collect_again(home, collected);
  return copy;
}

int cctx__py_write(const struct home *home, PyObject *value) {
  PyObject *token = cctx__py_set(home, home->variable, value);
  Py_XDECREF(token);
  return token ? 0 : -1;
}
