/* SPDX-License-Identifier: Apache-2.0 */
/* Homes: the binding's state, one for each interpreter that imported it.
 *
 * The core knows one hook for the process. It is there from the first import until the exit of
 * the last interpreter that has the module. An exiting interpreter's variable is no longer
 * asked once its atexit functions run, before anything of it is torn down; the other
 * functions work until the module is cleared.
 */
#include "home.h"

static _Atomic(struct home *) homes;

struct home *cctx__py_home(PyInterpreterState *interpreter) {
  struct home *home = atomic_load(&homes);
  while (home && !(home->interpreter == interpreter && atomic_load(&home->open)))
    home = home->next;
  return home;
}

struct home *cctx__py_home_here(void) {
  struct home *home = cctx__py_home(PyInterpreterState_Get());
  if (home == NULL)
    PyErr_SetString(PyExc_RuntimeError,
                    "cctx: this interpreter has shut down, or never imported cctx");
  return home;
}

static PyTypeObject *add_type(PyObject *module, PyType_Spec *spec) {
  PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);
#if PY_VERSION_HEX < 0x030A0000
  /* No flag says yet that only this binding makes instances of it. */
  if (type != NULL && spec != &cctx__py_use_spec && spec != &cctx__py_policy_spec)
    ((PyTypeObject *)type)->tp_new = NULL;
#endif
  if (type != NULL && PyModule_AddType(module, (PyTypeObject *)type) < 0) Py_CLEAR(type);
  return (PyTypeObject *)type;
}

static int fill(struct home *home, PyObject *module) {
  home->context_type = add_type(module, &cctx__py_context_spec);
  home->scope_type = add_type(module, &cctx__py_scope_spec);
  home->use_type = add_type(module, &cctx__py_use_spec);
  home->policy_type = add_type(module, &cctx__py_policy_spec);
  home->variable = PyContextVar_New("cctx.current", NULL);
  home->gc = PyImport_ImportModule("gc");
  if (!home->context_type || !home->scope_type || !home->use_type || !home->policy_type ||
      !home->variable || !home->gc)
    return -1;
  cctx__py_collect_prove();
  cctx__py_peek_prove(home);
  home->background = cctx__py_wrap(home, cctx_background());
  if (home->background == NULL) return -1;
  PyObject_GC_Track(home->background); /* it leads back here by its type */
  return cctx__py_errors_init(home, module);
}

static void publish(struct home *home) {
  struct home *head = atomic_load(&homes);
  do home->next = head;
  while (!atomic_compare_exchange_weak(&homes, &head, home));
}

struct home *cctx__py_home_open(PyObject *module) {
  struct home *home = PyMem_RawCalloc(1, sizeof *home);
  if (home == NULL) {
    PyErr_NoMemory();
    return NULL;
  }
  home->interpreter = PyInterpreterState_Get();
  home->number = (uint64_t)PyInterpreterState_GetID(home->interpreter);
  home->module = module;
  if (fill(home, module) < 0) {
    cctx__py_home_clear(home);
    PyMem_RawFree(home->contexts);
    PyMem_RawFree(home);
    return NULL;
  }
  cctx__py_released(true);
  atomic_store(&home->open, true);
  atomic_store(&home->asked, true);
  publish(home);
  if (cctx_interpreter_hook(&cctx__py_interpreter) != CCTX_OK) {
    cctx__py_home_clear(home);
    PyErr_SetString(PyExc_ImportError,
                    "cctx: another copy of this extension serves this process already");
    return NULL;
  }
  return home;
}

void cctx__py_home_close(struct home *home) {
  struct home *other = atomic_load(&homes);
  if (!atomic_exchange(&home->asked, false)) return;
  if (home->interpreter == PyInterpreterState_Main()) cctx__py_released(false);
  while (other && !atomic_load(&other->asked)) other = other->next;
  if (other == NULL) cctx_interpreter_unhook(&cctx__py_interpreter);
  cctx__py_drain(home);
}

int cctx__py_home_traverse(struct home *home, visitproc visit, void *arg) {
  Py_VISIT(home->context_type);
  Py_VISIT(home->scope_type);
  Py_VISIT(home->use_type);
  Py_VISIT(home->policy_type);
  Py_VISIT(home->cause_type);
  Py_VISIT(home->canceled);
  Py_VISIT(home->deadline_exceeded);
  Py_VISIT(home->variable);
  Py_VISIT(home->background);
  Py_VISIT(home->gc);
  Py_VISIT(home->bound);
  Py_VISIT(home->notice);
  return 0;
}

void cctx__py_home_clear(struct home *home) {
  cctx__py_home_close(home);
  cctx__py_empty_boxes(home);
  atomic_store(&home->open, false);
  Py_CLEAR(home->context_type);
  Py_CLEAR(home->scope_type);
  Py_CLEAR(home->use_type);
  Py_CLEAR(home->policy_type);
  Py_CLEAR(home->cause_type);
  Py_CLEAR(home->canceled);
  Py_CLEAR(home->deadline_exceeded);
  Py_CLEAR(home->variable);
  Py_CLEAR(home->background);
  Py_CLEAR(home->gc);
  Py_CLEAR(home->bound);
  Py_CLEAR(home->notice);
}
