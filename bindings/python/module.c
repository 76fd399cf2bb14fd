/* SPDX-License-Identifier: Apache-2.0 */
/* The module cctx._cctx. */
#include "home.h"

struct state {
  struct home *home; /* of this interpreter; cleared by the module that opened it */
};

static struct home *own_home(PyObject *module) {
  struct state *state = PyModule_GetState(module);
  return state && state->home && state->home->module == module ? state->home : NULL;
}

static PyObject *module_current(PyObject *module, PyObject *unused) {
  struct home *home = cctx__py_home_here();
  (void)module, (void)unused;
  if (home == NULL) return NULL;
  cctx__py_drain(home);
  cctx__py_notice(home, "ask", NULL);
  return cctx__py_wrap(home, cctx__py_current());
}

static PyObject *module_current_status(PyObject *module, PyObject *unused) {
  static const char *const words[] = {"none", "attached", "unknown", "ended"};
  (void)module, (void)unused;
  return PyUnicode_FromString(words[cctx__py_status()]);
}

static PyObject *module_background(PyObject *module, PyObject *unused) {
  struct home *home = cctx__py_home_here();
  (void)module, (void)unused;
  return home ? cctx__py_wrap(home, cctx_background()) : NULL;
}

static PyObject *module_todo(PyObject *module, PyObject *unused) {
  struct home *home = cctx__py_home_here();
  (void)module, (void)unused;
  return home ? cctx__py_wrap(home, cctx_todo()) : NULL;
}

/* Which contextvars.Context runs, as a number. */
static PyObject *module_place(PyObject *module, PyObject *unused) {
  (void)module, (void)unused;
  return PyLong_FromVoidPtr(PyThreadState_Get()->context);
}

static PyObject *module_strict(PyObject *module, PyObject *mode) {
  long number = PyLong_AsLong(mode);
  (void)module;
  if (number == -1 && PyErr_Occurred()) return NULL;
  return PyBool_FromLong(cctx_strict((int)number));
}

static PyObject *module_alive(PyObject *module, PyObject *unused) {
  struct home *home = cctx__py_home_here();
  (void)module, (void)unused;
  if (home == NULL) return NULL;
  cctx__py_tidy(home);
  cctx__py_drain(home);
  return PyLong_FromSize_t(cctx_alive());
}

static PyObject *module_stale_detaches(PyObject *module, PyObject *unused) {
  (void)module, (void)unused;
  return PyLong_FromUnsignedLongLong(cctx_stale_detaches());
}

static PyObject *module_clock_set(PyObject *module, PyObject *seconds) {
  int64_t now;
  (void)module;
  if (cctx__py_to_timeout(seconds, "now", &now) < 0) return NULL;
  cctx_clock_set(seconds == Py_None ? CCTX_CLOCK_REAL : now);
  Py_RETURN_NONE;
}

/* (name, seconds, message): what a scope is given, refused before its block is entered. */
static PyObject *module_check_limit(PyObject *module, PyObject *args) {
  PyObject *seconds, *text;
  const char *name, *message;
  int64_t limit;
  (void)module;
  if (!PyArg_ParseTuple(args, "sOO:_check_limit", &name, &seconds, &text) ||
      cctx__py_to_timeout(seconds, name, &limit) < 0 ||
      cctx__py_message(text, &message) < 0)
    return NULL;
  Py_RETURN_NONE;
}

static PyObject *module_collect_works(PyObject *module, PyObject *unused) {
  (void)module, (void)unused;
  return PyBool_FromLong(cctx__py_collect_works() && cctx__py_collect_links());
}

static PyObject *module_peek_works(PyObject *module, PyObject *unused) {
  (void)module, (void)unused;
  return PyBool_FromLong(cctx__py_peek_works());
}

static PyObject *module_peek_switch(PyObject *module, PyObject *on) {
  int truth = PyObject_IsTrue(on);
  (void)module;
  if (truth < 0) return NULL;
  cctx__py_peek_switch(truth);
  Py_RETURN_NONE;
}

/* Registered with atexit: from here on this interpreter's variable is not asked. */
static PyObject *module_close(PyObject *module, PyObject *unused) {
  struct home *home = own_home(module);
  (void)unused;
  if (home) cctx__py_home_close(home);
  Py_RETURN_NONE;
}

/* Of the core that this module has been bound to: a program may have it inside. */
static bool core_will_do(char *why, size_t size) {
  return cctx_core_check(CCTX_VERSION_STRING, why, size) == CCTX_OK;
}

/* None, or what is wrong: what has been loaded since may have brought another core. */
static PyObject *module_core_check(PyObject *module, PyObject *unused) {
  char why[1024];
  (void)module, (void)unused;
  if (core_will_do(why, sizeof why)) Py_RETURN_NONE;
  return PyUnicode_DecodeFSDefault(why);
}

static PyMethodDef module_methods[] = {
    {"current", module_current, METH_NOARGS,
     PyDoc_STR("current()\n--\n\nThe context that the running code works for.")},
    {"current_status", module_current_status, METH_NOARGS,
     PyDoc_STR("current_status()\n--\n\n"
               "Why current() answers what it does: 'none', 'attached', 'unknown' or "
               "'ended'.")},
    {"background", module_background, METH_NOARGS,
     PyDoc_STR("background()\n--\n\nThe root: never done, no deadline, no values.")},
    {"todo", module_todo, METH_NOARGS,
     PyDoc_STR("todo()\n--\n\nA root for code that does not know yet which to use.")},
    {"alive", module_alive, METH_NOARGS,
     PyDoc_STR(
         "alive()\n--\n\nHow many contexts are alive in this process, for leak checks.")},
    {"stale_detaches", module_stale_detaches, METH_NOARGS,
     PyDoc_STR("stale_detaches()\n--\n\n"
               "How many scopes were left that had ended already, in this process.")},
    {"_core_check", module_core_check, METH_NOARGS, NULL},
    {"extract", CCTX__PY_METHOD(cctx__py_extract), METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR(
         "extract(carrier, parent=None, *, format=None, policy=None)\n--\n\n"
         "A context from the fields of a mapping, or of pairs, of strings: a child of\n"
         "parent, or of background. A name may come in any case, and a list is several\n"
         "values of one name. What is malformed is left out, and counted by the policy.")},
    {"inject", CCTX__PY_METHOD(cctx__py_inject), METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR(
         "inject(carrier, context=None, *, format=None, policy=None)\n--\n\n"
         "Set in a mapping the fields that tell the next process of a context, by default\n"
         "the current one, and remove those it has nothing for. Returns the mapping.\n"
         "Raises Canceled or DeadlineExceeded if the context is done.")},
    {"_clock_set", module_clock_set, METH_O, NULL},
    {"_collect_works", module_collect_works, METH_NOARGS, NULL},
    {"_peek_works", module_peek_works, METH_NOARGS, NULL},
    {"_peek_switch", module_peek_switch, METH_O, NULL},
    {"_check_limit", module_check_limit, METH_VARARGS, NULL},
    {"_set_bound", cctx__py_set_bound, METH_O, NULL},
    {"_strict", module_strict, METH_O, NULL},
    {"_set_notice", cctx__py_set_notice, METH_O, NULL},
    {"_place", module_place, METH_NOARGS, NULL},
    {"_log_keep", cctx__py_log_keep, METH_O, NULL},
    {"_log_fetch", cctx__py_log_fetch, METH_NOARGS, NULL},
    {"_key_named", cctx__py_key_named, METH_VARARGS, NULL},
    {"_key_names", cctx__py_key_names, METH_O, NULL},
    {"_run_handed_over", cctx__py_run_handed_over, METH_VARARGS, NULL},
    {"_run_inherited", cctx__py_run_inherited, METH_VARARGS, NULL},
    {"_close", module_close, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static int close_at_exit(PyObject *module) {
  PyObject *atexit = PyImport_ImportModule("atexit");
  PyObject *close = atexit ? PyObject_GetAttrString(module, "_close") : NULL;
  PyObject *done = close ? PyObject_CallMethod(atexit, "register", "O", close) : NULL;
  int status = done ? 0 : -1;
  Py_XDECREF(done);
  Py_XDECREF(close);
  Py_XDECREF(atexit);
  return status;
}

static int add_capsule(PyObject *module) {
  PyObject *capsule = PyCapsule_New((void *)&cctx__py_api, CCTX_PY_CAPSULE, NULL);
  int status = capsule ? PyObject_SetAttrString(module, "_C_API", capsule) : -1;
  Py_XDECREF(capsule);
  return status;
}

static int add_types(PyObject *module) {
  PyType_Spec *specs[] = {&cctx__py_loop_spec,    &cctx__py_observer_spec,
                          &cctx__py_request_spec, &cctx__py_block_spec,
                          &cctx__py_manager_spec, &cctx__py_backup_spec};
  for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
    PyObject *type = PyType_FromModuleAndSpec(module, specs[i], NULL);
    int status = type ? PyModule_AddType(module, (PyTypeObject *)type) : -1;
    Py_XDECREF(type);
    if (status < 0) return -1;
  }
  return 0;
}

static int module_exec(PyObject *module) {
  struct state *state = PyModule_GetState(module);
  char why[1024];
  if (!core_will_do(why, sizeof why)) {
    PyErr_Format(PyExc_ImportError, "cctx: %s", why);
    return -1;
  }
  if (cctx__py_home(PyInterpreterState_Get()) != NULL) {
    PyErr_SetString(PyExc_ImportError,
                    "cctx: this interpreter has loaded the extension already: it cannot be "
                    "loaded again");
    return -1;
  }
  state->home = cctx__py_home_open(module);
  if (state->home == NULL || PyModule_AddFunctions(module, cctx__py_readers) < 0 ||
      PyModule_AddFunctions(module, cctx__py_session_functions) < 0 ||
      PyModule_AddFunctions(module, cctx__py_recover_functions) < 0 ||
      PyModule_AddStringConstant(module, "__version__", cctx_version()) < 0 ||
      add_capsule(module) < 0 || add_types(module) < 0)
    return -1;
  return close_at_exit(module);
}

static int module_traverse(PyObject *module, visitproc visit, void *arg) {
  struct home *home = own_home(module);
  return home ? cctx__py_home_traverse(home, visit, arg) : 0;
}

static int module_clear(PyObject *module) {
  struct home *home = own_home(module);
  if (home == NULL) return 0;
  cctx__py_home_clear(home);
  return 0;
}

static void module_free(void *module) { module_clear(module); }

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "cctx._cctx",
    .m_doc = "The C side of the package cctx.",
    .m_size = sizeof(struct state),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__cctx(void) { return PyModuleDef_Init(&module_def); }
