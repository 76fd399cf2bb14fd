/* SPDX-License-Identifier: Apache-2.0 */
/* Writing the context variable.
 *
 * Up to 3.11 the collector may run wherever memory is taken, and with it what sets variables, such
 * as a scope in a generator that nobody holds: in the midst of a set, which would then put back
 * what that has just left, or read what it has freed. */
#include "home.h"

int cctx__py_write(const struct home *home, PyObject *value) {
#if PY_VERSION_HEX >= 0x030A0000 && PY_VERSION_HEX < 0x030C0000
  int collects = PyGC_Disable();
#endif
  PyObject *token = PyContextVar_Set(home->variable, value);
#if PY_VERSION_HEX >= 0x030A0000 && PY_VERSION_HEX < 0x030C0000
  if (collects) PyGC_Enable();
#endif
  Py_XDECREF(token);
  return token ? 0 : -1;
}
