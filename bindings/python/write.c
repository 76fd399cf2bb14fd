/* SPDX-License-Identifier: Apache-2.0 */
/* Writing context variables, the binding's own and bound ones.
 *
 * Up to 3.11 the collector may run wherever memory is taken, and with it what sets variables, such
 * as a scope in a generator that nobody holds: in the midst of a set, which would then put back
 * what that has just left, or read what it has freed; a copy would read what that has freed. So it
 * does not run meanwhile. */
#include "home.h"

#if PY_VERSION_HEX >= 0x030A0000 && PY_VERSION_HEX < 0x030C0000
static int stop_collecting(void) { return PyGC_Disable(); }
static void collect_again(int collected) {
  if (collected) PyGC_Enable();
}
#else
static int stop_collecting(void) { return 0; }
static void collect_again(int collected) { (void)collected; }
#endif

PyObject *cctx__py_set(PyObject *variable, PyObject *value) {
  int collected = stop_collecting();
  PyObject *token = PyContextVar_Set(variable, value);
  collect_again(collected);
  return token;
}

int cctx__py_reset(PyObject *variable, PyObject *token) {
  int collected = stop_collecting();
  int status = PyContextVar_Reset(variable, token);
  collect_again(collected);
  return status;
}

PyObject *cctx__py_copy_current(void) {
  int collected = stop_collecting();
  PyObject *copy = PyContext_CopyCurrent();
  collect_again(collected);
  return copy;
}

int cctx__py_write(const struct home *home, PyObject *value) {
  PyObject *token = cctx__py_set(home->variable, value);
  Py_XDECREF(token);
  return token ? 0 : -1;
}
